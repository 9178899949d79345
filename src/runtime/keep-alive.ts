/** What becomes of idle models when their time is over: they are put to sleep, and later unloaded. */
import { longestTimeoutMs, type Clock } from "./clock.ts";
import { canSleep, type Instance } from "./instance.ts";

export interface Deadline {
  /** ms of the clock. */
  readonly at: number;
  timer: unknown;
}

export interface IdleOptions {
  readonly clock: Clock;
  /** Counted from the last use, like the instance's keep-alive; Infinity: never. */
  readonly sleepAfterMs: number;
  readonly onSleepy: () => void;
  readonly onExpired: () => void;
}

/** How long one that would not go to sleep is left alone at least. */
const leastRetryMs = 1000;

/** Starts the timers of an idle model; with a keep-alive of 0 the caller unloads it instead. */
export function arm(instance: Instance, { clock, sleepAfterMs, onSleepy, onExpired }: IdleOptions): void {
  const { keepAliveMs, lastUsedAt, restlessAt } = instance;
  if (keepAliveMs !== Infinity) {
    instance.expiry ??= setDeadline(clock, lastUsedAt + keepAliveMs, () => {
      instance.expiry = undefined;
      onExpired();
    });
  }
  if (!canSleep(instance) || sleepAfterMs >= keepAliveMs) return;
  const at = restlessAt === undefined ? lastUsedAt + sleepAfterMs : restlessAt + Math.max(sleepAfterMs, leastRetryMs);
  instance.nap ??= setDeadline(clock, at, () => {
    instance.nap = undefined;
    onSleepy();
  });
}

export function disarm(instance: Instance, clock: Clock): void {
  for (const deadline of [instance.expiry, instance.nap]) if (deadline) clock.clearTimeout(deadline.timer);
  instance.expiry = undefined;
  instance.nap = undefined;
}

/** When it is unloaded if nobody asks; for a busy or loading model, as if its last request ended now. */
export function expiresAt(instance: Instance, clock: Clock): Date | undefined {
  if (instance.expiry) return new Date(instance.expiry.at);
  const at = new Date(clock.now() + instance.keepAliveMs);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

function setDeadline(clock: Clock, at: number, onDue: () => void): Deadline {
  const wait = (): unknown => {
    const ms = Math.min(longestTimeoutMs, Math.max(0, at - clock.now()));
    return clock.setTimeout(() => {
      if (clock.now() < at) deadline.timer = wait();
      else onDue();
    }, ms);
  };
  const deadline: Deadline = { at, timer: wait() };
  return deadline;
}
