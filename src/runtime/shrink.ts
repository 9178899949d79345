/** Makes what nobody asked for smaller until a model fits into memory. */
import {
  estimateMemory,
  fittingCache,
  fittingContext,
  kvBytesPerToken,
  type ModelSizes,
  type ResolvedLoad,
} from "./fit.ts";

export interface ShrinkQuestion {
  readonly sizes: ModelSizes;
  readonly load: ResolvedLoad;
  readonly adapterBytes: number;
  readonly budgetBytes: number;
  /** What nobody asked for. */
  readonly free: { readonly context: boolean; readonly parallel: boolean; readonly cache: boolean };
}

const leastParallel = 4;
/** Below this a chat is no use; parallel sequences are given up first. */
const usefulContextTokens = 1024;
const leastContextTokens = 512;

/** Where nothing fits, it is the smallest that would have been taken: that is what the refusal should talk about. */
export function shrink(question: ShrinkQuestion): ResolvedLoad {
  const { load, sizes, free } = question;
  // The size of the cache, where it was asked for, is what all the rest depends on.
  if (fits(question, load) || !free.cache) return load;
  // Without a cache, fewer and shorter sequences save nothing.
  if (kvBytesPerToken(sizes, load) === 0) return load;
  return sizes.footprint?.sharesCache ? shrinkShared(question) : shrinkFixed(question);
}

/** First the cache down to one context: sequences wait where it is full. Then both, as far as it goes. */
function shrinkShared(question: ShrinkQuestion): ResolvedLoad {
  const { sizes, load, adapterBytes, budgetBytes, free } = question;
  const cacheTokens = fittingCache(sizes, load, budgetBytes, adapterBytes);
  if (cacheTokens > 0) return { ...load, cacheTokens };
  const contextTokens = free.context ? shortContext(question, load) : load.contextTokens;
  return { ...load, contextTokens, cacheTokens: contextTokens };
}

/** First the context down to what is useful, then parallel down to 4, then the context as far as it goes. */
function shrinkFixed(question: ShrinkQuestion): ResolvedLoad {
  const { sizes, load, adapterBytes, budgetBytes, free } = question;
  const useful = Math.min(load.contextTokens, usefulContextTokens);
  const floor = free.parallel ? Math.min(load.parallel, leastParallel) : load.parallel;
  for (let parallel = load.parallel; parallel >= floor; parallel--) {
    const candidate = { ...load, parallel };
    if (fits(question, candidate)) return candidate;
    const contextTokens = free.context ? fittingContext(sizes, candidate, budgetBytes, adapterBytes) : 0;
    if (contextTokens >= useful) return { ...candidate, contextTokens };
  }
  const last = { ...load, parallel: floor };
  return free.context ? { ...last, contextTokens: shortContext(question, last) } : last;
}

function shortContext({ sizes, adapterBytes, budgetBytes }: ShrinkQuestion, load: ResolvedLoad): number {
  const fitting = fittingContext(sizes, load, budgetBytes, adapterBytes);
  return Math.min(load.contextTokens, Math.max(leastContextTokens, fitting));
}

function fits({ sizes, adapterBytes, budgetBytes }: ShrinkQuestion, load: ResolvedLoad): boolean {
  return estimateMemory(sizes, load, adapterBytes).totalBytes <= budgetBytes;
}

/** What became smaller, in sentences for `hearth plan`. */
export function shrinkReasons(wanted: ResolvedLoad, got: ResolvedLoad): string[] {
  const reasons: string[] = [];
  if (got.cacheTokens !== undefined && got.cacheTokens !== wanted.cacheTokens) {
    const all = wanted.contextTokens * wanted.parallel;
    reasons.push(
      `the cache holds ${got.cacheTokens} tokens, not ${all}, and sequences wait where it is full: memory is short`,
    );
  }
  if (got.contextTokens < wanted.contextTokens) {
    reasons.push(`context is ${got.contextTokens} tokens, not ${wanted.contextTokens}: memory is short`);
  }
  if (got.parallel < wanted.parallel) {
    reasons.push(`${got.parallel} sequences run at once, not ${wanted.parallel}: memory is short`);
  }
  return reasons;
}
