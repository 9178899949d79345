/** The refusal of a model that needs more memory than there is: need, have and what to change. */
import { HearthError } from "../error.ts";
import { formatBytes } from "../util/format.ts";
import {
  estimateMemory,
  fittingCache,
  fittingContext,
  kvBytesPerToken,
  type MemoryState,
  type ModelSizes,
  type ResolvedLoad,
} from "./fit.ts";

export interface Shortage {
  readonly model: string;
  readonly info: ModelSizes;
  readonly load: ResolvedLoad;
  readonly adapterBytes: number;
  readonly budgetBytes: number;
  readonly memory: MemoryState;
  /** The budget was set by the user, not measured. */
  readonly configured: boolean;
}

export function outOfMemory(shortage: Shortage): HearthError {
  const { model, info, load, budgetBytes, memory, adapterBytes } = shortage;
  const estimate = estimateMemory(info, load, adapterBytes);
  const parts = [`weights ${formatBytes(estimate.weightBytes)}`];
  if (estimate.kvBytes > 0) parts.push(`KV cache ${formatBytes(estimate.kvBytes)} for ${cacheText(load)}`);
  parts.push(`working memory ${formatBytes(estimate.computeBytes)}`);
  const have = shortage.configured
    ? `the memory budget is ${formatBytes(budgetBytes)}`
    : `${formatBytes(budgetBytes)} can be used for models`;
  const context = fittingContext(info, load, budgetBytes, adapterBytes);
  return new HearthError(
    "out_of_memory",
    `Model "${model}" needs ${formatBytes(estimate.totalBytes)} (${parts.join(", ")}); ${have}.`,
    {
      hint: advice(shortage, context),
      details: {
        model,
        needBytes: estimate.totalBytes,
        haveBytes: budgetBytes,
        totalBytes: memory.totalBytes,
        contextTokens: load.contextTokens,
        parallel: load.parallel,
        ...(load.cacheTokens === undefined ? {} : { cacheTokens: load.cacheTokens }),
        ...(context > 0 ? { fittingContextTokens: context } : {}),
      },
    },
  );
}

function cacheText({ parallel, contextTokens, cacheTokens }: ResolvedLoad): string {
  return cacheTokens === undefined
    ? `${parallel} × ${contextTokens} tokens`
    : `${cacheTokens} tokens of ${parallel} sequences`;
}

function advice(shortage: Shortage, context: number): string {
  const { load, budgetBytes, memory, configured } = shortage;
  const steps = [...smallerCache(shortage), ...smallerContext(shortage, context), ...fewerSequences(shortage)];
  if (load.draft) steps.push("leave out --draft");
  steps.push("take a smaller quantization");
  if (configured) steps.push("raise --memory");
  else if (memory.totalBytes - memory.availableBytes > budgetBytes / 4) {
    const taken = formatBytes(memory.totalBytes - memory.availableBytes);
    steps.push(`close other programs (${taken} of ${formatBytes(memory.totalBytes)} are in use)`);
  }
  return capitalize(`${steps.slice(0, -1).join(", ")}${steps.length > 1 ? ", or " : ""}${steps.at(-1) ?? ""}.`);
}

function smallerCache({ info, load, budgetBytes, adapterBytes }: Shortage): string[] {
  if (load.cacheTokens === undefined) return [];
  const tokens = fittingCache(info, load, budgetBytes, adapterBytes);
  return tokens > 0 && tokens < load.cacheTokens ? [`load it with --cache-tokens ${tokens}`] : [];
}

function smallerContext({ info, load }: Shortage, context: number): string[] {
  if (context <= 0 || context >= load.contextTokens) return [];
  // Where the cache is of a size of its own, a smaller context alone would save nothing.
  const cache = info.footprint?.sharesCache || load.cacheTokens !== undefined ? ` --cache-tokens ${context}` : "";
  return [`load it with --context ${context}${cache}`];
}

function fewerSequences({ info, load, budgetBytes, adapterBytes }: Shortage): string[] {
  if (load.parallel === 1 || info.footprint?.sharesCache || load.cacheTokens !== undefined) return [];
  const single = estimateMemory(info, { ...load, parallel: 1 }, adapterBytes).totalBytes;
  if (single > budgetBytes) return [];
  const per = kvBytesPerToken(info, load) * load.contextTokens;
  return [`load it with --parallel ${Math.floor((budgetBytes - single) / per) + 1}`];
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
