/** An async queue: one side pushes, the other iterates. `end` finishes it, `fail` makes the reader throw. */
export interface Channel<T> extends AsyncIterable<T> {
  push(value: T): void;
  end(): void;
  fail(reason: unknown): void;
}

export function createChannel<T>(): Channel<T> {
  const values: T[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let failure: { reason: unknown } | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  return {
    push(value) {
      if (ended) return;
      values.push(value);
      notify();
    },
    end() {
      ended = true;
      notify();
    },
    fail(reason) {
      if (ended) return;
      failure = { reason };
      ended = true;
      notify();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (values.length > 0) yield values.shift() as T;
        if (failure) throw failure.reason;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
