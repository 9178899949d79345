import type { Progress } from "../spec/model.ts";
import { raceAbort } from "../util/abort.ts";
import type { PullOptions } from "./contract.ts";
import type { Reporter } from "./sources/source.ts";

/** Calls with one key share one piece of work; it is cancelled when the last caller has gone. */
export interface Sharing<T> {
  join(key: string, options: PullOptions, work: (reporter: Reporter) => Promise<T>): Promise<T>;
}

interface Shared<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  readonly listeners: Set<(progress: Progress) => void>;
  callers: number;
}

export function createSharing<T>(): Sharing<T> {
  const running = new Map<string, Shared<T>>();

  const start = (key: string, work: (reporter: Reporter) => Promise<T>): Shared<T> => {
    const stop = new AbortController();
    const listeners = new Set<(progress: Progress) => void>();
    const report = (progress: Progress): void => {
      for (const listener of listeners) listener(progress);
    };
    const result = work({ signal: stop.signal, report }).finally(() => {
      if (running.get(key) === shared) running.delete(key);
    });
    // Callers that were cancelled do not listen any more.
    result.catch(() => undefined);
    const shared: Shared<T> = { result, stop, listeners, callers: 0 };
    running.set(key, shared);
    return shared;
  };

  return {
    async join(key, { signal, onProgress }, work) {
      signal?.throwIfAborted();
      const shared = running.get(key) ?? start(key, work);
      shared.callers++;
      if (onProgress) shared.listeners.add(onProgress);
      try {
        return await raceAbort(shared.result, signal);
      } finally {
        shared.callers--;
        if (onProgress) shared.listeners.delete(onProgress);
        if (shared.callers === 0) {
          // A new caller must not join what is being cancelled.
          if (running.get(key) === shared) running.delete(key);
          shared.stop.abort(signal?.reason);
          // Files are closed and locks released before the caller hears of it.
          await shared.result.catch(() => undefined);
        }
      }
    },
  };
}
