/** How much memory a model will need, and what there is. */
import type { EngineFootprint, KvType, LoadOptions } from "../spec/engine.ts";
import type { ModelInfo } from "../spec/model.ts";
import type { MemoryEstimate } from "./contract.ts";

export type ResolvedLoad = Required<Pick<LoadOptions, "contextTokens" | "parallel">> & LoadOptions;

/** What the estimate needs to know of a model. */
export interface ModelSizes extends Pick<
  ModelInfo,
  "weightBytes" | "kvBytesPerToken" | "vocabularySize" | "embeddingLength"
> {
  /** The engine's own figures; absent: it maps the file and works as llama.cpp does. */
  readonly footprint?: EngineFootprint | undefined;
  /** The model that guesses for it. */
  readonly draft?: Omit<ModelSizes, "draft"> | undefined;
}

const mebibyte = 1024 ** 2;
/** Node, the engine's code and its heap, before any model. */
const defaultProcessBytes = 150 * mebibyte;
const defaultBatchTokens = 512;
/** Hidden states, queries, keys, values and the feed-forward of one layer that are alive at once, in embedding widths. */
const liveActivations = 16;

/** Bytes of one cached number. Quantized types are blocks of 32 with their scales (ggml's block layouts). */
const kvBytes: Readonly<Record<KvType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
};

/** Bytes per token of one sequence; half of the cache is keys, half is values. */
export function kvBytesPerToken({ kvBytesPerToken: own, draft, footprint }: ModelSizes, load: LoadOptions): number {
  const scale = (kvBytes[load.kvTypeK ?? "f16"] + kvBytes[load.kvTypeV ?? "f16"]) / (2 * kvBytes.f16);
  // llama.cpp keeps the cache of a draft model in f16, flint keeps both alike.
  const draftScale = footprint ? scale : 1;
  return own * scale + (draft?.kvBytesPerToken ?? 0) * draftScale;
}

/** Bytes of the engine's process, before any model and while its model sleeps. */
export function processBytesOf(footprint: EngineFootprint | undefined): number {
  return footprint?.processBytes ?? defaultProcessBytes;
}

/**
 * What loading would take at most. Mapped weights count in full: they are read for every token. `computeBytes` holds
 * the buffers of one batch, the engine's process, and what reads pictures. A draft model is part of each figure.
 */
export function estimateMemory(model: ModelSizes, load: ResolvedLoad, adapterBytes = 0): MemoryEstimate {
  const models = [model, ...(model.draft ? [model.draft] : [])].map(footprintOf);
  const { pictures = { weightBytes: 0, workBytes: 0 } } = model.footprint ?? {};
  const weightBytes = sum(models, (one) => one.weightBytes) + pictures.weightBytes + adapterBytes;
  const rowsBytes = sum(models, ({ batchTokens, rowBytes }) => (load.batchTokens ?? batchTokens) * rowBytes);
  const cacheBytes = Math.ceil(kvBytesPerToken(model, load) * cachedTokens(model.footprint, load));
  const computeBytes = processBytesOf(model.footprint) + rowsBytes + pictures.workBytes;
  return { weightBytes, kvBytes: cacheBytes, computeBytes, totalBytes: weightBytes + cacheBytes + computeBytes };
}

/** Tokens that the cache has place for, in whole blocks. */
function cachedTokens(footprint: EngineFootprint | undefined, load: ResolvedLoad): number {
  const { blockTokens = 1, sharesCache = false } = footprint ?? {};
  const inBlocks = (tokens: number): number => Math.ceil(tokens / blockTokens) * blockTokens;
  const { contextTokens, parallel, cacheTokens } = load;
  if (!sharesCache) return inBlocks(contextTokens) * sequencesOf(load);
  return inBlocks(cacheTokens ?? contextTokens * parallel) + inBlocks(contextTokens);
}

/** Sequences that run at once where each has the place of a whole context. */
export function sequencesOf({ contextTokens, parallel, cacheTokens = Infinity }: ResolvedLoad): number {
  return Math.max(1, Math.min(parallel, Math.floor(cacheTokens / contextTokens)));
}

function footprintOf(model: Omit<ModelSizes, "draft">): EngineFootprint {
  return model.footprint ?? mappedFootprint(model);
}

/** An engine that keeps the weights as they are in the file. */
function mappedFootprint({
  weightBytes,
  kvBytesPerToken: kv,
  vocabularySize,
  embeddingLength,
}: Omit<ModelSizes, "draft">): EngineFootprint {
  // An encoder has no head over the vocabulary, so it never holds logits.
  const logits = kv > 0 ? vocabularySize : 0;
  const rowBytes = 4 * (logits + embeddingLength * liveActivations);
  const processBytes = defaultProcessBytes;
  return { weightBytes, processBytes, rowBytes, batchTokens: defaultBatchTokens, blockTokens: 1 };
}

/** Sizes that are looked for go in such steps. */
const stepTokens = 256;

/**
 * The most tokens of context that fit into `budgetBytes`, in steps of 256; 0 where not even 256 do. A shared cache, or
 * one of so many tokens, then holds one context.
 */
export function fittingContext(info: ModelSizes, load: ResolvedLoad, budgetBytes: number, adapterBytes = 0): number {
  const own = load.cacheTokens === undefined ? load.parallel : 1;
  const contexts = info.footprint?.sharesCache ? 2 : own;
  const tokens = fittingTokens(info, load, budgetBytes - adapterBytes) / contexts;
  return Math.min(load.contextTokens, Math.max(0, inSteps(tokens)));
}

/** The most tokens that the cache can hold within `budgetBytes`; 0 where that is less than one context. */
export function fittingCache(info: ModelSizes, load: ResolvedLoad, budgetBytes: number, adapterBytes = 0): number {
  const tokens = fittingTokens(info, load, budgetBytes - adapterBytes);
  const { contextTokens } = load;
  const blockTokens = info.footprint?.blockTokens ?? 1;
  const oneContext = Math.ceil(contextTokens / blockTokens) * blockTokens;
  const cacheTokens = info.footprint?.sharesCache
    ? inSteps(tokens - oneContext)
    : Math.floor(tokens / oneContext) * contextTokens;
  return cacheTokens >= contextTokens ? cacheTokens : 0;
}

/** Tokens of keys and values that fit beside all the rest. */
function fittingTokens(info: ModelSizes, load: ResolvedLoad, budgetBytes: number): number {
  const estimate = estimateMemory(info, load);
  const room = budgetBytes - (estimate.totalBytes - estimate.kvBytes);
  const perToken = kvBytesPerToken(info, load);
  return perToken === 0 && room >= 0 ? Infinity : Math.floor(room / perToken);
}

function inSteps(tokens: number): number {
  return Math.floor(tokens / stepTokens) * stepTokens;
}

export interface MemoryState {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

export interface Budget {
  /** What all loaded models together may take. */
  readonly limitBytes: number;
  /** What they might be able to take if everything were unloaded first; never less than the limit. */
  readonly ceilingBytes: number;
}

/** Free memory less what is left to the system and to other programs: 5 %, at least 512 MiB. */
export function usableBytes({ totalBytes, availableBytes }: MemoryState): number {
  return Math.max(0, availableBytes - Math.max(512 * mebibyte, 0.05 * totalBytes));
}

/**
 * With models loaded, free memory alone says too little: mapped weights may count as free although they are in use.
 * So the budget is what was usable when nothing was loaded, and less where other programs have taken memory since.
 */
export function memoryBudget(usedBytes: number, baselineBytes: number, memory: MemoryState): Budget {
  const now = usedBytes + usableBytes(memory);
  return { limitBytes: Math.min(baselineBytes, now), ceilingBytes: Math.max(baselineBytes, now) };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
