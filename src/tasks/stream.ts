/** Streams that stop at once when nobody reads them any more. */
import { HearthError } from "../error.ts";

/**
 * Runs a generator with a signal that fires when the caller aborts or stops iterating, even while the generator waits
 * for its next value: an async generator alone would notice only after that.
 */
export function stoppable<T>(
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => AsyncGenerator<T>,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const controller = new AbortController();
      const generator = run(signal ? AbortSignal.any([signal, controller.signal]) : controller.signal);
      return {
        next: () => generator.next(),
        async return() {
          controller.abort(new HearthError("aborted", "The caller stopped reading."));
          return await generator.return(undefined);
        },
      };
    },
  };
}

/**
 * Values of several streams in the order of their arrival. When it ends early, `onStop` is called first, so that no
 * stream is waited for that has not been told to stop. The first failure ends it.
 */
export async function* merge<T>(sources: readonly AsyncIterable<T>[], onStop: () => void): AsyncGenerator<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const pending = new Map<number, Promise<{ index: number; result: IteratorResult<T> }>>();
  const advance = (index: number): void => {
    const iterator = iterators[index];
    if (!iterator) return;
    pending.set(
      index,
      iterator.next().then((result) => ({ index, result })),
    );
  };
  try {
    for (const index of iterators.keys()) advance(index);
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      pending.delete(index);
      if (result.done) continue;
      yield result.value;
      advance(index);
    }
  } finally {
    onStop();
    await Promise.allSettled([...pending.values(), ...iterators.map((iterator) => iterator.return?.())]);
  }
}

/** A stream whose code is loaded when somebody reads it. */
export function later<T>(load: () => Promise<AsyncIterable<T>>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      let opened: Promise<AsyncIterator<T>> | undefined;
      const open = async (): Promise<AsyncIterator<T>> => (await load())[Symbol.asyncIterator]();
      return {
        async next() {
          return await (await (opened ??= open())).next();
        },
        async return() {
          const iterator = await opened;
          opened = Promise.resolve(ended);
          return (await iterator?.return?.()) ?? { done: true, value: undefined };
        },
      };
    },
  };
}

const ended: AsyncIterator<never> = {
  next: async () => ({ done: true, value: undefined }),
};
