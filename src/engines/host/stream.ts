import { abortError } from "../../util/abort.ts";

/** The receiving end of one event stream. */
export interface EventStream<T> extends AsyncIterable<T> {
  push(value: T): void;
  end(): void;
  fail(reason: Error): void;
}

export interface EventStreamOptions {
  /** Called when somebody begins to read. */
  readonly onStart: () => void;
  /** Called once when the reader stops before the end. */
  readonly onCancel: () => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * An async iterable whose reader gets away at once: an abort rejects the read in progress and drops what was queued, and
 * leaving the loop cancels, even while a read is in progress. (An async generator would wait for the next event first.)
 */
export function createEventStream<T>({ onStart, onCancel, signal }: EventStreamOptions): EventStream<T> {
  const values: T[] = [];
  const readers: { resolve: (result: IteratorResult<T>) => void; reject: (reason: Error) => void }[] = [];
  let started = false;
  let over: { readonly reason?: Error } | undefined;

  const finish = (end: { readonly reason?: Error }): void => {
    if (over) return;
    over = end;
    signal?.removeEventListener("abort", onAbort);
    for (const reader of readers.splice(0)) settle(reader);
  };
  const settle = (reader: (typeof readers)[number]): void => {
    if (over?.reason) reader.reject(over.reason);
    else reader.resolve({ done: true, value: undefined });
  };
  const cancel = (end: { readonly reason?: Error }): void => {
    if (over) return;
    values.length = 0;
    finish(end);
    if (started) onCancel();
  };
  const onAbort = (): void => {
    if (signal) cancel({ reason: abortError(signal) });
  };
  const start = (): void => {
    if (started) return;
    if (signal?.aborted) onAbort();
    if (over) return;
    signal?.addEventListener("abort", onAbort, { once: true });
    started = true;
    onStart();
  };

  return {
    push(value) {
      if (over) return;
      const reader = readers.shift();
      if (reader) reader.resolve({ done: false, value });
      else values.push(value);
    },
    end: () => finish({}),
    fail: (reason) => finish({ reason }),
    [Symbol.asyncIterator]: () => ({
      async next() {
        start();
        const value = values.shift();
        if (value !== undefined) return { done: false, value };
        return await new Promise<IteratorResult<T>>((resolve, reject) => {
          if (over) settle({ resolve, reject });
          else readers.push({ resolve, reject });
        });
      },
      async return() {
        cancel({});
        return { done: true, value: undefined };
      },
    }),
  };
}
