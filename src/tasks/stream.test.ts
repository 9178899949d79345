import { describe, expect, it } from "vitest";
import { createDeferred } from "../util/deferred.ts";
import { later, merge, stoppable } from "./stream.ts";

async function* numbers(from: number, to: number): AsyncGenerator<number> {
  for (let value = from; value < to; value++) yield value;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of source) all.push(value);
  return all;
}

describe("merged streams", () => {
  it("give all values, each stream's in its own order", async () => {
    const all = await collect(merge([numbers(0, 50), numbers(100, 120), numbers(5, 5)], () => {}));
    expect(all).toHaveLength(70);
    expect(all.filter((value) => value < 100)).toEqual([...Array(50).keys()]);
  });

  it("fail with the first failure, and let the others go", async () => {
    let closed = 0;
    const stop = createDeferred<void>();
    const patient = async function* (): AsyncGenerator<number> {
      try {
        await stop.promise;
        yield 1;
      } finally {
        closed++;
      }
    };
    const broken = async function* (): AsyncGenerator<number> {
      yield 0;
      throw new Error("broken");
    };
    const merged = merge([patient(), broken(), patient()], stop.resolve);
    await expect(collect(merged)).rejects.toThrow("broken");
    expect(closed).toBe(2);
  });
});

describe("a stoppable stream", () => {
  it("fires its signal when the reader leaves, also before the first value", async () => {
    const signals: AbortSignal[] = [];
    const source = stoppable(undefined, (signal) => {
      signals.push(signal);
      return numbers(0, 10);
    });
    for await (const value of source) if (value === 1) break;
    await source[Symbol.asyncIterator]().return?.();
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
  });

  it("fires its signal with that of the caller", async () => {
    const controller = new AbortController();
    let inner: AbortSignal | undefined;
    const source = stoppable(controller.signal, (signal) => {
      inner = signal;
      return numbers(0, 3);
    });
    expect(await collect(source)).toEqual([0, 1, 2]);
    controller.abort();
    expect(inner?.aborted).toBe(true);
  });
});

describe("a stream that is loaded later", () => {
  it("loads nothing until it is read, and once", async () => {
    let loads = 0;
    const source = later(async () => {
      loads++;
      return numbers(0, 3);
    });
    expect(loads).toBe(0);
    expect(await collect(source)).toEqual([0, 1, 2]);
    expect(loads).toBe(1);
  });

  it("loads nothing for a reader that leaves at once, and stays ended", async () => {
    let loads = 0;
    const iterator = later(async () => {
      loads++;
      return numbers(0, 3);
    })[Symbol.asyncIterator]();
    await iterator.return?.();
    expect(await iterator.next()).toMatchObject({ done: true });
    expect(loads).toBe(0);
  });

  it("passes the end of reading on", async () => {
    let closed = false;
    const source = later(async () =>
      (async function* (): AsyncGenerator<number> {
        try {
          yield* numbers(0, 10);
        } finally {
          closed = true;
        }
      })(),
    );
    for await (const value of source) if (value === 2) break;
    expect(closed).toBe(true);
  });
});
