/** Who is refused when more requests wait than the settings allow. */
import { HearthError } from "../error.ts";
import type { Waiter } from "./queue.ts";

/**
 * The waiters that count against the limit, in their order. Those that get a turn as soon as the load under way is done
 * do not: they wait for their model, not for other requests.
 */
export function countedWaiters(waiters: readonly Waiter[], seats: (key: string) => number): readonly Waiter[] {
  const left = new Map<string, number>();
  return waiters.filter(({ key }) => {
    const free = left.get(key) ?? seats(key);
    left.set(key, free - 1);
    return free <= 0;
  });
}

export interface Excess {
  readonly waiter: Waiter;
  /** Requests that its tenant has waiting, this one among them, where no other tenant has as many. */
  readonly crowd: number | undefined;
}

/**
 * The waiters above the limit: each is one of the tenant that has most waiting at that point, so that nobody takes all
 * places. Of equal tenants it is the one that came last; of a tenant's own the newest batch request, else the newest.
 */
export function chooseExcess(counted: readonly Waiter[], limit: number): readonly Excess[] {
  const tenants = Map.groupBy(counted, ({ tenant }) => tenant);
  const excess: Excess[] = [];
  while (excess.length < counted.length - limit) {
    const [own = [], other = []] = [...tenants.values()].sort((a, b) => b.length - a.length || newest(b) - newest(a));
    const crowd = other.length > 0 && own.length > other.length ? own.length : undefined;
    // Interactive requests come first, so the last one is of the class that can wait, if the tenant has any.
    const waiter = own.pop();
    if (!waiter) break;
    excess.push({ waiter, crowd });
  }
  return excess;
}

export interface RefusalOptions {
  readonly limit: number;
  readonly retryAfterSeconds: number;
}

export function toRefusal({ waiter, crowd }: Excess, { limit, retryAfterSeconds }: RefusalOptions): HearthError {
  const details = { model: waiter.key, limit, retryAfterSeconds };
  const again = `Try again in ${retryAfterSeconds} s.`;
  if (crowd === undefined) {
    const message = `The queue is full: ${limit} requests are waiting. ${again}`;
    return new HearthError("queue_full", message, { details, retryAfterSeconds });
  }
  const message = `The queue is full, and with ${crowd} waiting requests this caller has more in it than any other. ${again}`;
  return new HearthError("too_many_requests", message, { details: { ...details, waiting: crowd }, retryAfterSeconds });
}

function newest(waiters: readonly Waiter[]): number {
  return waiters.reduce((latest, { sequence }) => Math.max(latest, sequence), -1);
}
