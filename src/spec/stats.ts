/** Words for what engines did, and how long requests took. */
import type { HistogramData } from "../util/histogram.ts";
import type { EngineStats } from "./engine.ts";

/** Those figures of `EngineStats` that only grow while a model is loaded. */
export type EngineCounters = Omit<EngineStats, "running" | "waiting" | "blocks" | "diskBytes" | "atMs">;

const noCounters: EngineCounters = {
  steps: 0,
  stepTokens: 0,
  promptTokens: 0,
  cachedTokens: 0,
  restoredTokens: 0,
  generatedTokens: 0,
  draftedTokens: 0,
  acceptedTokens: 0,
  preemptions: 0,
};

/** Of an engine that has done nothing yet. */
export const noStats: EngineStats = {
  ...noCounters,
  running: 0,
  waiting: 0,
  blocks: { total: 0, used: 0, cached: 0 },
  diskBytes: 0,
};

export function addCounters(a: EngineCounters, b: EngineCounters): EngineCounters {
  return combine((name) => a[name] + b[name]);
}

/** What was done between two states. */
export function subtractCounters(later: EngineCounters, earlier: EngineCounters): EngineCounters {
  return combine((name) => later[name] - earlier[name]);
}

function combine(value: (name: keyof EngineCounters) => number): EngineCounters {
  const names = Object.keys(noCounters) as (keyof EngineCounters)[];
  return Object.fromEntries(names.map((name) => [name, value(name)])) as unknown as EngineCounters;
}

/** How long the requests to a model took; seconds. */
export interface Latency {
  /** From the arrival of a request to its first token: waiting and loading included. */
  readonly firstToken: HistogramData;
  /** Between two tokens of one answer. Tokens that come together share the time since the last one. */
  readonly betweenTokens: HistogramData;
  /** From the arrival of a request to its end, whatever the end was. */
  readonly duration: HistogramData;
  /** From the arrival of a request to its turn, loading left out. */
  readonly queue: HistogramData;
}
