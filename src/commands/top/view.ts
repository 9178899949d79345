/** From the sums that the server keeps to what happens now: differences between what was read and what was read before. */
import type { ModelStats, ServerStats } from "../../client/types.ts";
import { type EngineCounters, type Latency, subtractCounters } from "../../spec/stats.ts";
import { countOf, type HistogramData, percentile, subtract } from "../../util/histogram.ts";

/** Milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** A row of `hearth top`. What is not known is absent. Shares are from 0 to 1. */
export interface ModelView extends Pick<
  ModelStats,
  "name" | "state" | "engine" | "device" | "running" | "waiting" | "blocks" | "ramBytes" | "vramBytes" | "diskBytes"
> {
  /** Since it was read before: tokens of prompts that were computed, and of answers. */
  readonly promptTokensPerSecond?: number;
  readonly answerTokensPerSecond?: number;
  /** What follows is of the last minute, or, where that had none, of all the time. */
  readonly tokensPerStep?: number;
  /** Part of the prompts that came out of the cache in memory, and on disk. */
  readonly memoryHits?: number;
  readonly diskHits?: number;
  /** Part of the tokens guessed ahead that was right. */
  readonly acceptance?: number;
  readonly firstTokenMs?: Percentiles;
  readonly betweenTokensMs?: Percentiles;
}

const windowMs = 60_000;

/** Remembers a minute of what it was given. */
export function createViews(): (stats: ServerStats) => readonly ModelView[] {
  let history: ServerStats[] = [];
  return (stats) => {
    const last = history.at(-1);
    // The clock of a server that was started anew begins anew, and so do its sums.
    if (last && last.atMs > stats.atMs) history = [];
    history = history.filter(({ atMs }) => stats.atMs - atMs <= windowMs);
    const views = stats.models.map((model) => toView(model, history));
    history.push(stats);
    return views;
  };
}

function toView(model: ModelStats, history: readonly ServerStats[]): ModelView {
  const { counters, latency, ...shown } = model;
  const earlier = history.flatMap(({ models }) =>
    models.filter(({ name, counters: had }) => name === model.name && had),
  );
  return {
    ...shown,
    ...(counters && rates(counters, earlier.at(-1)?.counters)),
    ...(counters && shares(counters, earlier[0]?.counters)),
    ...(latency && times(latency, earlier[0]?.latency)),
  };
}

type Counted = NonNullable<ModelStats["counters"]>;

function rates(now: Counted, before: Counted | undefined): Partial<ModelView> {
  if (!before) return {};
  const seconds = (now.atMs - before.atMs) / 1000;
  const done = subtractCounters(now, before);
  const perSecond = (tokens: number): number => (seconds > 0 ? tokens / seconds : 0);
  return {
    promptTokensPerSecond: perSecond(done.promptTokens - done.cachedTokens - done.restoredTokens),
    answerTokensPerSecond: perSecond(done.generatedTokens),
  };
}

function shares(now: EngineCounters, before: EngineCounters | undefined): Partial<ModelView> {
  const done = before && subtractCounters(now, before);
  const share = (part: keyof EngineCounters, whole: keyof EngineCounters): number | undefined => {
    const from = done && done[whole] > 0 ? done : now;
    return from[whole] > 0 ? from[part] / from[whole] : undefined;
  };
  return known({
    tokensPerStep: share("stepTokens", "steps"),
    memoryHits: share("cachedTokens", "promptTokens"),
    diskHits: share("restoredTokens", "promptTokens"),
    acceptance: share("acceptedTokens", "draftedTokens"),
  });
}

function times(now: Latency, before: Latency | undefined): Partial<ModelView> {
  return known({
    firstTokenMs: percentiles(now.firstToken, before?.firstToken),
    betweenTokensMs: percentiles(now.betweenTokens, before?.betweenTokens),
  });
}

function percentiles(now: HistogramData, before: HistogramData | undefined): Percentiles | undefined {
  const fresh = before && subtract(now, before);
  const data = fresh && countOf(fresh) > 0 ? fresh : now;
  const [p50, p99] = [percentile(data, 0.5), percentile(data, 0.99)];
  return p50 === undefined || p99 === undefined ? undefined : { p50: p50 * 1000, p99: p99 * 1000 };
}

/** Without what is undefined. */
function known<T extends object>(values: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
