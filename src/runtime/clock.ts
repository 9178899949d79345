/** Time as the runtime sees it; tests put their own in. */
export interface Clock {
  /** Milliseconds since the epoch that never run backwards. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** The longest delay that Node's timers take; a longer one would fire at once. */
export const longestTimeoutMs: number = 2 ** 31 - 1;

export const systemClock: Clock = {
  // The wall clock may be set back or forward; an idle model must not live a year longer for it.
  now: () => performance.timeOrigin + performance.now(),
  setTimeout(callback, ms) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return timer;
  },
  clearTimeout(handle) {
    clearTimeout(handle as NodeJS.Timeout);
  },
};
