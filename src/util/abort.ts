import { HearthError } from "../error.ts";

/** Rejects with the signal's reason as soon as it aborts; otherwise settles as `work` does. */
export async function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await work;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => {
    reject(signal.reason as Error);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Waits; rejects when the signal aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await raceAbort(elapsed, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** The error for a caller whose signal aborted: `aborted`, or the HearthError that was given as the reason. */
export function abortError(signal: AbortSignal): HearthError {
  if (signal.reason instanceof HearthError) return signal.reason;
  return new HearthError("aborted", "The request was cancelled.", { cause: signal.reason });
}
