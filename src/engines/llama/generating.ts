/** A model that answers with text: its context, cache and guesses. */
import type { LlamaContext, LlamaContextOptions, LlamaContextSequence } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import { modelSampling } from "../../formats/gguf/sampling.ts";
import type { KvType, LoadOptions } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import { createCache } from "./cache.ts";
import type { DraftModel } from "./draft.ts";
import { openDraft } from "./draft.ts";
import { createFormats } from "./format.ts";
import type { GenerateContext, Speculation } from "./generate.ts";
import { generate } from "./generate.ts";
import type { BatchCosts } from "./guess.ts";
import { createBatchCosts } from "./guess.ts";
import { createGrammarGuard } from "./guard.ts";
import { canCopy, canGoBack, observeBatches } from "./internals.ts";
import { defaultBatchTokens } from "./job.ts";
import type { LoadJob, Methods, Opened } from "./job.ts";
import { score } from "./score.ts";
import { openPromptStates } from "./states/open.ts";
import { createLlamaStats } from "./stats.ts";
import { asEngineError, named } from "./text.ts";

const defaultParallel = 8;
const coldBatches = 2;

export async function openGenerating(job: LoadJob, { native, text, contextTokens }: Opened): Promise<Methods> {
  const { backend, model, options } = job;
  const parallel = sequenceCount(options, contextTokens);
  const context = await native.createContext(contextOptions(job, contextTokens, parallel));
  const sequences = Array.from({ length: parallel }, () => context.getSequence());
  const states = await openPromptStates(job, sequences);
  const cache = createCache({ sequences, states, copies: sequences.every((sequence) => canCopy(sequence)) });
  const diskBytes = (): number => states?.sizeBytes ?? 0;
  const stats = createLlamaStats({ cache, sequences, contextTokens, diskBytes });
  const costs = createBatchCosts();
  let batches = 0;
  observeBatches(context, (batch) => {
    stats.step(batch);
    // The first ones read the weights from the disk.
    if (++batches > coldBatches) costs.record(batch);
  });
  const shared: GenerateContext = {
    backend,
    model: native,
    text,
    cache,
    stats,
    speculation: await openSpeculation(job, { context, sequences, costs }),
    formats: createFormats(backend),
    guard: createGrammarGuard(),
    defaults: modelSampling(model.info),
    contextTokens,
    batchTokens: options.batchTokens ?? defaultBatchTokens,
  };
  return {
    parallel,
    generate: (request, { signal } = {}) => namedEvents(generate(request, shared, signal), model.name),
    score: (request, { signal } = {}) => named(score(request, shared, signal), model.name),
    stats: stats.read,
    keep: () => cache.keep(),
  };
}

/** llama.cpp gives every sequence the place of a whole context, so a smaller cache is one of fewer sequences. */
function sequenceCount({ parallel = defaultParallel, cacheTokens }: LoadOptions, contextTokens: number): number {
  if (cacheTokens === undefined) return parallel;
  const count = Math.floor(cacheTokens / contextTokens);
  if (count > 0) return Math.min(parallel, count);
  const message = `A cache of ${cacheTokens} tokens does not hold a context of ${contextTokens}.`;
  throw new HearthError("unsupported_option", message, {
    hint: "Choose a smaller --context or a larger cache.",
    details: { option: "cacheTokens", engine: "llama", cacheTokens, contextTokens },
  });
}

interface Target {
  readonly context: LlamaContext;
  readonly sequences: readonly LlamaContextSequence[];
  readonly costs: BatchCosts;
}

/** Undefined where nothing is to be guessed, or where a wrong guess could not be taken back. */
async function openSpeculation(job: LoadJob, { context, sequences, costs }: Target): Promise<Speculation | undefined> {
  const { options, notice, model } = job;
  if (options.speculation === "off") return undefined;
  if (!canGoBack(context.model)) {
    if (options.draft) notice(`The draft model is not used: "${model.name}" cannot take back a wrong guess.`);
    return undefined;
  }
  const draft: DraftModel | undefined = options.draft && (await openDraft(job, options.draft.path, context));
  return { costs, drafter: (sequence) => draft?.drafters[sequences.indexOf(sequence)] };
}

function contextOptions(job: LoadJob, contextTokens: number, sequences: number): LlamaContextOptions {
  const { backend, options, call } = job;
  const { adapters = [], kvTypeK, kvTypeV, batchTokens = defaultBatchTokens } = options;
  return {
    contextSize: contextTokens,
    sequences,
    batchSize: batchTokens,
    threads: backend.threads,
    flashAttention: options.flashAttention ?? "auto",
    failedCreationRemedy: false,
    ...(kvTypeK && { experimentalKvCacheKeyType: ggmlName(kvTypeK) }),
    ...(kvTypeV && { experimentalKvCacheValueType: ggmlName(kvTypeV) }),
    ...(adapters.length > 0 && {
      lora: { adapters: adapters.map(({ path, scale = 1 }) => ({ filePath: path, scale })) },
    }),
    ...(call.signal && { createSignal: call.signal }),
  };
}

/** node-llama-cpp spells the types of ggml in capitals. */
function ggmlName(type: KvType): Uppercase<KvType> {
  return type.toUpperCase() as Uppercase<KvType>;
}

async function* namedEvents(events: AsyncIterable<GenerateEvent>, model: string): AsyncGenerator<GenerateEvent> {
  try {
    yield* events;
  } catch (error) {
    throw asEngineError(error, model);
  }
}
