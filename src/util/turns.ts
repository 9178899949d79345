import { abortError } from "./abort.ts";

/** Work that uses all threads goes one piece after another, in the order in which it came. */
export type Turns = <T>(work: () => T | Promise<T>, signal?: AbortSignal) => Promise<T>;

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return async (work, signal) => {
    const turn = last.then(async () => {
      if (signal?.aborted) throw abortError(signal);
      return await work();
    });
    last = turn.catch(() => undefined);
    return await turn;
  };
}
