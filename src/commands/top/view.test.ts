import { expect, test } from "vitest";
import type { ModelStats, ServerStats } from "../../client/types.ts";
import { type EngineCounters, type Latency, noStats } from "../../spec/stats.ts";
import { createHistogram } from "../../util/histogram.ts";
import { createViews, type ModelView } from "./view.ts";

interface Reading {
  readonly at: number;
  readonly counters?: Partial<EngineCounters>;
  /** When the engine said so, where that was earlier. */
  readonly saidAt?: number;
  readonly firstTokens?: readonly number[];
}

const row = { name: "tiny", state: "ready", engine: "flint", device: "cpu", running: 1, waiting: 0 } as const;

function statsOf({ at, counters, saidAt = at, firstTokens = [] }: Reading): ServerStats {
  const model: ModelStats = {
    ...row,
    ramBytes: 1,
    vramBytes: 0,
    ...(counters && { counters: { ...noStats, ...counters, atMs: saidAt } }),
    latency: latencyOf(firstTokens),
  };
  return { atMs: at, models: [model] };
}

/** Seconds to the first tokens of all requests so far. */
function latencyOf(firstTokens: readonly number[]): Latency {
  const empty = createHistogram([0.1, 1, 10]);
  const firstToken = createHistogram([0.1, 1, 10]);
  for (const seconds of firstTokens) firstToken.observe(seconds);
  const [duration, queue, betweenTokens] = [empty.read(), empty.read(), empty.read()];
  return { firstToken: firstToken.read(), betweenTokens, duration, queue };
}

/** The view of the model after the last of the readings. */
function view(...readings: readonly Reading[]): ModelView | undefined {
  const views = createViews();
  return readings.map((reading) => views(statsOf(reading))).at(-1)?.[0];
}

test("rates are what was done since the reading before, cached tokens of prompts left out", () => {
  const before = { promptTokens: 1000, cachedTokens: 100, generatedTokens: 500 };
  const after = { promptTokens: 1600, cachedTokens: 300, restoredTokens: 200, generatedTokens: 600 };
  expect(view({ at: 0, counters: before }, { at: 2000, counters: after })).toMatchObject({
    promptTokensPerSecond: 100,
    answerTokensPerSecond: 50,
  });
});

test("rates go by when the engine spoke, not by when it was asked", () => {
  const early = { at: 1000, saidAt: 600, counters: { generatedTokens: 60 } };
  const late = { at: 2000, saidAt: 2000, counters: { generatedTokens: 200 } };
  expect(view(early, late)?.answerTokensPerSecond).toBe(100);
});

test("the first reading has no rates, and an engine that says nothing new does nothing", () => {
  expect(view({ at: 0, counters: { generatedTokens: 5 } })).not.toHaveProperty("answerTokensPerSecond");
  const same = { saidAt: 500, counters: { generatedTokens: 5 } };
  expect(view({ at: 800, ...same }, { at: 900, ...same })?.answerTokensPerSecond).toBe(0);
});

test("shares are of the last minute, and of all the time where that had none", () => {
  const long = { promptTokens: 100, cachedTokens: 10, steps: 10, stepTokens: 20, draftedTokens: 4, acceptedTokens: 1 };
  const recent = { ...long, promptTokens: 200, cachedTokens: 90, restoredTokens: 10, steps: 20, stepTokens: 80 };
  expect(view({ at: 0, counters: long })).toMatchObject({ memoryHits: 0.1, diskHits: 0, tokensPerStep: 2 });
  const both = [
    { at: 0, counters: long },
    { at: 1000, counters: recent },
  ];
  expect(view(...both)).toMatchObject({ memoryHits: 0.8, diskHits: 0.1, tokensPerStep: 6, acceptance: 0.25 });
  expect(view(...both, { at: 70_000, counters: recent })).toMatchObject({ memoryHits: 0.45, tokensPerStep: 4 });
});

test("shares of nothing are unknown", () => {
  const shown = view({ at: 0, counters: {} });
  for (const name of ["memoryHits", "diskHits", "acceptance", "tokensPerStep"]) expect(shown).not.toHaveProperty(name);
});

test("percentiles are of the requests of the last minute, and of all where that had none", () => {
  const old = [5, 5, 5, 5];
  const before = { at: 0, counters: {}, firstTokens: old };
  const after = { at: 1000, counters: {}, firstTokens: [...old, 0.05, 0.05] };
  expect(view(before)?.firstTokenMs?.p50).toBeCloseTo(5500);
  expect(view(before, after)?.firstTokenMs?.p50).toBeCloseTo(50);
  expect(view(before, after)?.firstTokenMs?.p99).toBeCloseTo(99);
  expect(view(before, after)).not.toHaveProperty("betweenTokensMs");
});

test("a server that was started anew is not compared with the one before", () => {
  const shown = view(
    { at: 90_000, counters: { generatedTokens: 900, promptTokens: 100, cachedTokens: 50 } },
    { at: 2000, counters: { generatedTokens: 10, promptTokens: 10, cachedTokens: 10 } },
  );
  expect(shown).not.toHaveProperty("answerTokensPerSecond");
  expect(shown?.memoryHits).toBe(1);
});

test("a model whose engine says nothing of itself is shown with what is known", () => {
  expect(view({ at: 0, firstTokens: [0.05] })).toMatchObject({ name: "tiny", running: 1, firstTokenMs: { p50: 50 } });
});
