import type { LlamaContextOptions, LlamaModel } from "node-llama-cpp";
import { HearthError, isAbort } from "../../error.ts";
import { modelSampling } from "../../formats/gguf/sampling.ts";
import type { Engine, EngineLoadOptions, EngineModel, KvType, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import { createSlots } from "../../util/slots.ts";
import type { Backend } from "./backend.ts";
import { openBackend } from "./backend.ts";
import { embed, rerank } from "./embed.ts";
import { createFormats } from "./format.ts";
import type { GenerateContext } from "./generate.ts";
import { generate } from "./generate.ts";
import { createGrammarGuard } from "./guard.ts";
import { llamaSamplingOptions } from "./sampling.ts";
import type { LlamaSetup } from "./setup.ts";
import type { ModelText } from "./text.ts";
import { asEngineError, createModelText } from "./text.ts";

const defaultContextTokens = 4096;
const defaultParallel = 8;
const defaultBatchTokens = 512;

/** llama.cpp in this process. It runs in the engine's child process: a crash of native code takes the process with it. */
export function createNativeLlama(setup: LlamaSetup, notice: (text: string) => void): Engine {
  return {
    name: "llama",
    refuse: () => undefined,
    async load(model, options, call = {}) {
      const backend = await openBackend(setup, options, notice);
      try {
        return await loadModel({ backend, model, options, call });
      } catch (error) {
        if (call.signal?.aborted || isAbort(error)) throw error;
        throw loadError(error, model.name, backend);
      }
    },
  };
}

interface LoadJob {
  readonly backend: Backend;
  readonly model: EngineModel;
  readonly options: LoadOptions;
  readonly call: EngineLoadOptions;
}

/** What is loaded, before it can do anything. */
interface Opened {
  readonly native: LlamaModel;
  readonly text: ModelText;
  readonly contextTokens: number;
}

async function loadModel(job: LoadJob): Promise<LoadedModel> {
  const { backend, model, options } = job;
  const { info } = model;
  const native = await openModel(job);
  const trained = info.trainContextTokens || native.trainContextSize;
  const contextTokens = options.contextTokens ?? Math.min(trained, defaultContextTokens);
  const opened = { native, text: createModelText(native, info), contextTokens };
  const methods = await openMethods(job, opened);
  const { cpuRam, gpuVram } = await backend.llama.getLlamaMemoryUsage();
  return {
    engine: "llama",
    device: backend.device,
    contextTokens,
    capabilities: info.capabilities,
    samplingOptions: new Set(llamaSamplingOptions),
    // The parent notices when this process dies; here nobody would be left to tell.
    died: new Promise<void>(() => {}),
    tokenize: async (parts) => opened.text.promptTokens(parts),
    detokenize: async (tokens) => opened.text.detokenize(tokens),
    memory: () => ({ ramBytes: cpuRam, vramBytes: gpuVram }),
    dispose: () => backend.llama.dispose(),
    ...methods,
  };
}

type Methods = Pick<LoadedModel, "parallel" | "generate" | "embed" | "rerank">;

/** The context that the model's kind needs, and what can be done with it. */
async function openMethods(job: LoadJob, opened: Opened): Promise<Methods> {
  const { capabilities } = job.model.info;
  if (capabilities.includes("rerank")) return await rankingMethods(job, opened);
  if (capabilities.includes("embed")) return await embeddingMethods(job, opened);
  return await generatingMethods(job, opened);
}

async function rankingMethods({ model, backend }: LoadJob, { native, text, contextTokens }: Opened): Promise<Methods> {
  const options = { contextSize: contextTokens, batchSize: contextTokens, threads: backend.threads };
  const ranking = { context: await native.createRankingContext(options), text, contextTokens };
  return {
    parallel: 1,
    rerank: (request, { signal } = {}) => named(rerank(request, ranking, signal), model.name),
  };
}

async function embeddingMethods(
  { model, backend }: LoadJob,
  { native, text, contextTokens }: Opened,
): Promise<Methods> {
  // An encoder sees its whole input in one batch.
  const options = { contextSize: contextTokens, batchSize: contextTokens, threads: backend.threads };
  const embedding = { context: await native.createEmbeddingContext(options), text, contextTokens };
  return {
    parallel: 1,
    embed: (request, { signal } = {}) => named(embed(request, embedding, signal), model.name),
  };
}

async function generatingMethods(job: LoadJob, { native, text, contextTokens }: Opened): Promise<Methods> {
  const { backend, model, options } = job;
  const parallel = options.parallel ?? defaultParallel;
  const context = await native.createContext(contextOptions(job, contextTokens, parallel));
  const shared: GenerateContext = {
    backend,
    model: native,
    text,
    sequences: Array.from({ length: parallel }, () => context.getSequence()),
    slots: createSlots(parallel),
    formats: createFormats(backend),
    guard: createGrammarGuard(),
    defaults: modelSampling(model.info),
    contextTokens,
    batchTokens: options.batchTokens ?? defaultBatchTokens,
  };
  return {
    parallel,
    generate: (request, { signal } = {}) => namedEvents(generate(request, shared, signal), model.name),
  };
}

async function openModel({ backend, model, options, call }: LoadJob): Promise<LlamaModel> {
  const { info } = model;
  return await backend.llama.loadModel({
    modelPath: model.path,
    gpuLayers: backend.device === "cpu" ? 0 : (options.gpuLayers ?? "auto"),
    useMmap: options.mmap ?? "auto",
    useMlock: options.mlock ?? false,
    onLoadProgress: (share) =>
      call.onProgress?.({
        phase: "load",
        label: model.name,
        completedBytes: Math.round(share * info.weightBytes),
        totalBytes: info.weightBytes,
      }),
    ...(call.signal && { loadSignal: call.signal }),
  });
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

async function named<T>(work: Promise<T>, model: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asEngineError(error, model);
  }
}

async function* namedEvents(events: AsyncIterable<GenerateEvent>, model: string): AsyncGenerator<GenerateEvent> {
  try {
    yield* events;
  } catch (error) {
    throw asEngineError(error, model);
  }
}

function loadError(error: unknown, model: string, { library }: Backend): HearthError {
  if (error instanceof HearthError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof library.InsufficientMemoryError) {
    return new HearthError("out_of_memory", `Model "${model}" does not fit into memory: ${message}`, { cause: error });
  }
  return new HearthError("engine_load_failed", `Model "${model}" could not be loaded: ${message}`, {
    hint: "The file may be damaged (`hearth verify`), or the load options may not fit the model.",
    cause: error,
  });
}
