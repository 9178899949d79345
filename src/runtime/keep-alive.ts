/** Unloads idle models when their time is over. */
import { longestTimeoutMs, type Clock } from "./clock.ts";
import type { Instance } from "./instance.ts";

/** Starts the timer of an idle model; with 0 the caller unloads it instead. */
export function arm(instance: Instance, clock: Clock, onExpired: () => void): void {
  if (instance.expiry || instance.keepAliveMs === Infinity) return;
  const expiresAt = clock.now() + instance.keepAliveMs;
  const wait = (): unknown => {
    const ms = Math.min(longestTimeoutMs, Math.max(0, expiresAt - clock.now()));
    return clock.setTimeout(() => {
      if (clock.now() < expiresAt) instance.expiry = { expiresAt, timer: wait() };
      else onExpired();
    }, ms);
  };
  instance.expiry = { expiresAt, timer: wait() };
}

export function disarm(instance: Instance, clock: Clock): void {
  if (!instance.expiry) return;
  clock.clearTimeout(instance.expiry.timer);
  instance.expiry = undefined;
}

/** When it is unloaded if nobody asks; for a busy or loading model, as if its last request ended now. */
export function expiresAt(instance: Instance, clock: Clock): Date | undefined {
  if (instance.expiry) return new Date(instance.expiry.expiresAt);
  const at = new Date(clock.now() + instance.keepAliveMs);
  return Number.isNaN(at.getTime()) ? undefined : at;
}
