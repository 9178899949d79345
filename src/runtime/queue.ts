/** Requests that wait for a turn, and whose turn it is. */
import type { EngineChoice } from "../engines/contract.ts";
import type { LoadOptions, Priority } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo, Progress } from "../spec/model.ts";
import type { Lease } from "./contract.ts";
import type { Draft } from "./draft.ts";
import { Shares } from "./share.ts";

export interface Waiter {
  /** Order of arrival over all models. */
  readonly sequence: number;
  /** Canonical name of the model. */
  readonly key: string;
  readonly tenant: string;
  readonly priority: Priority;
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly choice: EngineChoice;
  readonly requested: LoadOptions;
  readonly draft?: Draft | undefined;
  readonly arrivedAt: number;
  readonly keepAliveMs: number;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly resolve: (lease: Lease) => void;
  readonly reject: (reason: unknown) => void;
}

export interface Queue {
  add(waiter: Waiter): void;
  /** Takes it out without a turn. Returns whether it was there. */
  delete(waiter: Waiter): boolean;
  /** Takes it out for its turn, which counts from now on. */
  begin(waiter: Waiter): void;
  end(waiter: Waiter): void;
  /** A copy: interactive ones first, each class oldest first. */
  all(): readonly Waiter[];
  /** The same for one model. */
  of(key: string): readonly Waiter[];
  /** Of waiters of one model in the order of `all`, the one whose turn it is. */
  next(waiters: readonly Waiter[]): Waiter | undefined;
  readonly size: number;
}

export function createQueue(now: () => number): Queue {
  const waiters: Waiter[] = [];
  const shares = new Map<string, Shares>();
  const account = (waiter: Waiter, change: (shares: Shares) => void): void => {
    const name = classOf(waiter);
    const own = shares.get(name) ?? new Shares(now);
    change(own);
    if (own.empty) shares.delete(name);
    else shares.set(name, own);
  };
  const remove = (waiter: Waiter): boolean => {
    const index = waiters.indexOf(waiter);
    if (index !== -1) waiters.splice(index, 1);
    return index !== -1;
  };
  return {
    add(waiter) {
      // Reading a model's header may take one request longer than a later one; the turn is by arrival all the same.
      const index = waiters.findLastIndex((other) => goesBefore(other, waiter)) + 1;
      waiters.splice(index, 0, waiter);
      account(waiter, (own) => own.wait(waiter.tenant));
    },
    delete(waiter) {
      if (!remove(waiter)) return false;
      account(waiter, (own) => own.leave(waiter.tenant));
      return true;
    },
    begin(waiter) {
      if (remove(waiter)) account(waiter, (own) => own.begin(waiter.tenant));
    },
    end(waiter) {
      account(waiter, (own) => own.end(waiter.tenant));
    },
    all: () => [...waiters],
    of: (key) => waiters.filter((waiter) => waiter.key === key),
    next: (candidates) => pick(candidates, shares),
    get size() {
      return waiters.length;
    },
  };
}

function classOf({ key, priority }: Waiter): string {
  return `${priority} ${key}`;
}

function goesBefore(one: Waiter, other: Waiter): boolean {
  return one.priority === other.priority ? one.sequence < other.sequence : one.priority === "interactive";
}

/** The first class of them; in it the tenant that has had least; of equals, and within a tenant, who came first. */
function pick(waiters: readonly Waiter[], shares: ReadonlyMap<string, Shares>): Waiter | undefined {
  const [first] = waiters;
  const own = first && shares.get(classOf(first));
  if (!own) return first;
  let best = first;
  for (const waiter of waiters) {
    if (waiter.priority === first.priority && own.compare(waiter.tenant, best.tenant) < 0) best = waiter;
  }
  return best;
}
