/** How much memory a model will need, what there is, and the refusal when the one is more than the other. */
import { HearthError } from "../error.ts";
import type { EngineFootprint, KvType, LoadOptions } from "../spec/engine.ts";
import type { ModelInfo } from "../spec/model.ts";
import { formatBytes } from "../util/format.ts";
import type { MemoryEstimate } from "./contract.ts";

export type ResolvedLoad = Required<Pick<LoadOptions, "contextTokens" | "parallel">> & LoadOptions;

/** What the estimate needs to know of a model. */
export interface ModelSizes extends Pick<
  ModelInfo,
  "weightBytes" | "kvBytesPerToken" | "vocabularySize" | "embeddingLength"
> {
  /** The engine's own figures; absent: it maps the file and works as llama.cpp does. */
  readonly footprint?: EngineFootprint | undefined;
}

const mebibyte = 1024 ** 2;
/** Node, the engine's code and its heap, before any model. */
const processBytes = 150 * mebibyte;
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
export function kvBytesPerToken(info: ModelSizes, load: LoadOptions): number {
  const scale = (kvBytes[load.kvTypeK ?? "f16"] + kvBytes[load.kvTypeV ?? "f16"]) / (2 * kvBytes.f16);
  return info.kvBytesPerToken * scale;
}

/**
 * What loading would take at most. Mapped weights count in full: they are read for every token. `computeBytes` holds
 * the buffers of one batch and the engine's process.
 */
export function estimateMemory(model: ModelSizes, load: ResolvedLoad, adapterBytes = 0): MemoryEstimate {
  const footprint = model.footprint ?? mappedFootprint(model);
  const weightBytes = footprint.weightBytes + adapterBytes;
  const cachedTokens = Math.ceil(load.contextTokens / footprint.blockTokens) * footprint.blockTokens * load.parallel;
  const cacheBytes = Math.ceil(kvBytesPerToken(model, load) * cachedTokens);
  const computeBytes = footprint.processBytes + (load.batchTokens ?? footprint.batchTokens) * footprint.rowBytes;
  return { weightBytes, kvBytes: cacheBytes, computeBytes, totalBytes: weightBytes + cacheBytes + computeBytes };
}

/** An engine that keeps the weights as they are in the file. */
function mappedFootprint({
  weightBytes,
  kvBytesPerToken: kv,
  vocabularySize,
  embeddingLength,
}: ModelSizes): EngineFootprint {
  // An encoder has no head over the vocabulary, so it never holds logits.
  const logits = kv > 0 ? vocabularySize : 0;
  const rowBytes = 4 * (logits + embeddingLength * liveActivations);
  return { weightBytes, processBytes, rowBytes, batchTokens: defaultBatchTokens, blockTokens: 1 };
}

/** The most tokens of context that fit into `budgetBytes`, in steps of 256; 0 where not even 256 do. */
export function fittingContext(info: ModelSizes, load: ResolvedLoad, budgetBytes: number, adapterBytes = 0): number {
  const fixed = estimateMemory(info, { ...load, contextTokens: 0 }, adapterBytes).totalBytes;
  const perToken = kvBytesPerToken(info, load) * load.parallel;
  const room = budgetBytes - fixed;
  if (room < 0) return 0;
  if (perToken === 0) return load.contextTokens;
  return Math.min(load.contextTokens, Math.floor(room / perToken / 256) * 256);
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

export interface Refusal {
  readonly model: string;
  readonly info: ModelSizes;
  readonly load: ResolvedLoad;
  readonly adapterBytes: number;
  readonly budgetBytes: number;
  readonly memory: MemoryState;
  /** The budget was set by the user, not measured. */
  readonly configured: boolean;
}

/** Says need, have and what to change. */
export function outOfMemory(refusal: Refusal): HearthError {
  const { model, info, load, budgetBytes, memory, adapterBytes } = refusal;
  const estimate = estimateMemory(info, load, adapterBytes);
  const parts = [`weights ${formatBytes(estimate.weightBytes)}`];
  if (estimate.kvBytes > 0) {
    parts.push(`KV cache ${formatBytes(estimate.kvBytes)} for ${load.parallel} × ${load.contextTokens} tokens`);
  }
  parts.push(`working memory ${formatBytes(estimate.computeBytes)}`);
  const have = refusal.configured
    ? `the memory budget is ${formatBytes(budgetBytes)}`
    : `${formatBytes(budgetBytes)} can be used for models`;
  const context = fittingContext(info, load, budgetBytes, adapterBytes);
  return new HearthError(
    "out_of_memory",
    `Model "${model}" needs ${formatBytes(estimate.totalBytes)} (${parts.join(", ")}); ${have}.`,
    {
      hint: advice(refusal, context),
      details: {
        model,
        needBytes: estimate.totalBytes,
        haveBytes: budgetBytes,
        totalBytes: memory.totalBytes,
        contextTokens: load.contextTokens,
        parallel: load.parallel,
        ...(context > 0 ? { fittingContextTokens: context } : {}),
      },
    },
  );
}

function advice({ info, load, budgetBytes, memory, configured, adapterBytes }: Refusal, context: number): string {
  const steps: string[] = [];
  if (context > 0 && context < load.contextTokens) steps.push(`load it with --context ${context}`);
  const single = estimateMemory(info, { ...load, parallel: 1 }, adapterBytes).totalBytes;
  if (load.parallel > 1 && single <= budgetBytes) {
    const per = kvBytesPerToken(info, load) * load.contextTokens;
    steps.push(`load it with --parallel ${Math.floor((budgetBytes - single) / per) + 1}`);
  }
  steps.push("take a smaller quantization");
  if (configured) steps.push("raise --memory");
  else if (memory.totalBytes - memory.availableBytes > budgetBytes / 4) {
    const taken = formatBytes(memory.totalBytes - memory.availableBytes);
    steps.push(`close other programs (${taken} of ${formatBytes(memory.totalBytes)} are in use)`);
  }
  return capitalize(`${steps.slice(0, -1).join(", ")}${steps.length > 1 ? ", or " : ""}${steps.at(-1) ?? ""}.`);
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
