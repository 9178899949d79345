import { expect, test } from "vitest";
import type { GenerateEvent } from "../spec/event.ts";
import type { Latency } from "../spec/stats.ts";
import { countOf } from "../util/histogram.ts";
import { createTestHouse } from "../../test/runtime-house.ts";
import { Latencies, type Stopwatch } from "./latency.ts";

const prompt: GenerateEvent = { type: "prompt-start", promptTokens: 3 };
const token = (...tokens: number[]): GenerateEvent => ({ type: "token-delta", text: "x", tokens });

interface Measured {
  readonly stopwatch: Stopwatch;
  readonly read: () => Latency;
  readonly at: (ms: number) => void;
  /** Reads an answer whose events come at these times. */
  readonly answer: (events: readonly (readonly [ms: number, event: GenerateEvent])[]) => Promise<GenerateEvent[]>;
}

/** A request that came at 0 and has its turn. */
function begin(turn = { queueMs: 0, loadMs: 0 }): Measured {
  let now = 0;
  const latencies = new Latencies(() => now);
  const stopwatch = latencies.begin("tiny", { arrivedAt: 0, ...turn });
  return {
    stopwatch,
    read: () => latencies.read("tiny"),
    at: (ms: number) => void (now = ms),
    async answer(events) {
      async function* source(): AsyncGenerator<GenerateEvent> {
        for (const [ms, event] of events) {
          now = ms;
          yield event;
        }
      }
      return await Array.fromAsync(stopwatch.watch(source()));
    },
  };
}

test("the first token counts from the arrival, the others from the one before", async () => {
  const { answer, read, stopwatch } = begin();
  const events = [
    [5, prompt],
    [100, token(1)],
    [120, token(2)],
    [150, token(3)],
  ] as const;
  expect(await answer(events)).toEqual(events.map(([, event]) => event));
  stopwatch.end();
  const { firstToken, betweenTokens, duration, queue } = read();
  expect([firstToken, betweenTokens, duration, queue].map(countOf)).toEqual([1, 2, 1, 1]);
  expect(firstToken.sum).toBeCloseTo(0.1);
  expect(betweenTokens.sum).toBeCloseTo(0.05);
  expect(duration.sum).toBeCloseTo(0.15);
  expect(queue.sum).toBeCloseTo(0.005);
});

test("tokens that come together share the time since the last one, and text without a token is none", async () => {
  const { answer, read } = begin();
  await answer([
    [10, prompt],
    [20, token(1)],
    [80, token(2, 3, 4)],
    [500, token()],
  ]);
  const { betweenTokens } = read();
  expect(countOf(betweenTokens)).toBe(3);
  expect(betweenTokens.sum).toBeCloseTo(0.06);
  expect(betweenTokens.counts[betweenTokens.bounds.indexOf(0.02)]).toBe(3);
});

test("a request with several answers has one first token, and the gaps of each answer", async () => {
  const { answer, read } = begin();
  for (const from of [0, 1000]) {
    await answer([
      [from, prompt],
      [from + 10, token(1)],
      [from + 20, token(2)],
    ]);
  }
  const { firstToken, betweenTokens, queue } = read();
  expect([firstToken, betweenTokens, queue].map(countOf)).toEqual([1, 2, 1]);
  expect(betweenTokens.sum).toBeCloseTo(0.02);
});

test("time in the engine's own queue counts as waiting, loading does not", async () => {
  const { answer, read } = begin({ queueMs: 100, loadMs: 2000 });
  await answer([[2400, prompt]]);
  expect(read().queue.sum).toBeCloseTo(0.4);
});

test("a request that generates nothing has waited and lasted all the same", () => {
  const { at, read, stopwatch } = begin({ queueMs: 30, loadMs: 0 });
  at(70);
  stopwatch.end();
  const { firstToken, duration, queue } = read();
  expect(countOf(firstToken)).toBe(0);
  expect([queue.sum, duration.sum]).toEqual([0.03, 0.07]);
});

test("a reader that leaves ends the generation at once, also while it waits for the next event", async () => {
  const { stopwatch } = begin();
  let left = false;
  const silent: AsyncIterable<GenerateEvent> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      async return() {
        left = true;
        return { done: true, value: undefined };
      },
    }),
  };
  const reader = stopwatch.watch(silent)[Symbol.asyncIterator]();
  void reader.next();
  await reader.return?.();
  expect(left).toBe(true);
});

test("the runtime measures each lease, by model", async () => {
  const { runtime, clock } = createTestHouse({ settings: { parallel: 1 } });
  const first = await runtime.acquire({ model: "a" });
  const second = runtime.acquire({ model: "a" });
  await clock.advance(300);
  first.release();
  first.release();
  (await second).release();
  (await runtime.acquire({ model: "b" })).release();
  const totals = runtime.totals().map(({ name, latency }) => [name, countOf(latency.queue), latency.queue.sum]);
  expect(totals).toEqual([
    ["a:latest", 2, 0.3],
    ["b:latest", 1, 0],
  ]);
});
