/** What llama.cpp does, counted. */
import type { LlamaContextSequence } from "node-llama-cpp";
import type { EngineStats } from "../../spec/engine.ts";
import { noStats } from "../../spec/stats.ts";
import type { Cache } from "./cache.ts";
import type { Batch } from "./internals.ts";
import type { Reused } from "./reuse.ts";

export interface LlamaStats {
  prompt(tokens: { readonly promptTokens: number } & Reused): void;
  token(): void;
  guess(guessed: number, right: number): void;
  step(batch: Pick<Batch, "rows">): void;
  /** Texts are embedded or ranked from here until the promise settles. */
  batch<T extends { readonly tokens: number }>(work: Promise<T>): Promise<T>;
  readonly read: () => EngineStats;
}

/** What generating models have. A block of the cache is the place of one token. */
export interface CountedCache {
  readonly cache: Cache;
  readonly sequences: readonly LlamaContextSequence[];
  readonly contextTokens: number;
  readonly diskBytes: () => number;
}

/** Without a cache requests are counted by `batch` alone, and steps not at all. */
export function createLlamaStats(counted?: CountedCache): LlamaStats {
  const counts: Counts = { ...noStats };
  let running = 0;
  return {
    prompt({ promptTokens, cachedTokens, restoredTokens }) {
      add(counts, { promptTokens, cachedTokens, restoredTokens });
    },
    token: () => add(counts, { generatedTokens: 1 }),
    guess: (draftedTokens, acceptedTokens) => add(counts, { draftedTokens, acceptedTokens }),
    step: ({ rows }) => add(counts, { steps: 1, stepTokens: rows }),
    async batch(work) {
      running++;
      try {
        const result = await work;
        add(counts, { promptTokens: result.tokens });
        return result;
      } finally {
        running--;
      }
    },
    read: () => ({ ...counts, running, ...(counted && readCache(counted)) }),
  };
}

type Counts = { -readonly [Name in keyof EngineStats]: EngineStats[Name] };
type Sums = { readonly [Name in keyof EngineStats as EngineStats[Name] extends number ? Name : never]?: number };

function add(counts: Counts, sums: Sums): void {
  for (const [name, value] of Object.entries(sums)) counts[name as keyof Sums] += value;
}

function readCache({ cache, sequences, contextTokens, diskBytes }: CountedCache) {
  const { running, waiting, resting } = cache.slots;
  const idle = new Set(resting.map(({ index }) => index));
  const tokensOf = (wanted: boolean): number =>
    sequences.reduce((sum, { nextTokenIndex }, index) => (idle.has(index) === wanted ? sum + nextTokenIndex : sum), 0);
  const blocks = { total: sequences.length * contextTokens, used: tokensOf(false), cached: tokensOf(true) };
  return { running, waiting, blocks, diskBytes: diskBytes() };
}
