import type { LlamaModel } from "node-llama-cpp";
import { HearthError, isAbort } from "../../error.ts";
import type { Engine, LoadedModel } from "../../spec/engine.ts";
import type { Backend } from "./backend.ts";
import { openBackend } from "./backend.ts";
import { embed, rerank } from "./embed.ts";
import { openGenerating } from "./generating.ts";
import type { LoadJob, Methods, Opened } from "./job.ts";
import { llamaSamplingOptions } from "./sampling.ts";
import type { LlamaSetup } from "./setup.ts";
import { createLlamaStats } from "./stats.ts";
import { createModelText, named } from "./text.ts";

const defaultContextTokens = 4096;

/** llama.cpp in this process. It runs in the engine's child process: a crash of native code takes the process with it. */
export function createNativeLlama(setup: LlamaSetup, notice: (text: string) => void): Engine {
  return {
    name: "llama",
    refuse: () => undefined,
    async load(model, options, call = {}) {
      const backend = await openBackend(setup, options, notice);
      try {
        return await loadModel({ backend, model, options, call, notice });
      } catch (error) {
        if (call.signal?.aborted || isAbort(error)) throw error;
        throw loadError(error, model.name, backend);
      }
    },
  };
}

async function loadModel(job: LoadJob): Promise<LoadedModel> {
  const { backend, model, options } = job;
  const { info } = model;
  const native = await openModel(job);
  const trained = info.trainContextTokens || native.trainContextSize;
  const contextTokens = options.contextTokens ?? Math.min(trained, defaultContextTokens);
  const opened = { native, text: createModelText(native, info), contextTokens };
  const { keep, ...methods } = await openMethods(job, opened);
  const { cpuRam, gpuVram } = await backend.llama.getLlamaMemoryUsage();
  return {
    engine: "llama",
    device: backend.device,
    contextTokens,
    // node-llama-cpp takes no projectors.
    capabilities: info.capabilities.filter((name) => name !== "vision"),
    samplingOptions: new Set(llamaSamplingOptions),
    // The parent notices when this process dies; here nobody would be left to tell.
    died: new Promise<void>(() => {}),
    tokenize: async (parts) => opened.text.promptTokens(parts),
    detokenize: async (tokens) => opened.text.detokenize(tokens),
    memory: () => ({ ramBytes: cpuRam, vramBytes: gpuVram }),
    async dispose() {
      await keep?.();
      await backend.llama.dispose();
    },
    ...methods,
  };
}

/** The context that the model's kind needs, and what can be done with it. */
async function openMethods(job: LoadJob, opened: Opened): Promise<Methods> {
  const { capabilities } = job.model.info;
  if (capabilities.includes("rerank")) return await rankingMethods(job, opened);
  if (capabilities.includes("embed")) return await embeddingMethods(job, opened);
  return await openGenerating(job, opened);
}

async function rankingMethods({ model, backend }: LoadJob, { native, text, contextTokens }: Opened): Promise<Methods> {
  const options = { contextSize: contextTokens, batchSize: contextTokens, threads: backend.threads };
  const ranking = { context: await native.createRankingContext(options), text, contextTokens };
  const stats = createLlamaStats();
  return {
    parallel: 1,
    rerank: (request, { signal } = {}) => named(stats.batch(rerank(request, ranking, signal)), model.name),
    stats: stats.read,
  };
}

async function embeddingMethods(
  { model, backend }: LoadJob,
  { native, text, contextTokens }: Opened,
): Promise<Methods> {
  // An encoder sees its whole input in one batch.
  const options = { contextSize: contextTokens, batchSize: contextTokens, threads: backend.threads };
  const embedding = { context: await native.createEmbeddingContext(options), text, contextTokens };
  const stats = createLlamaStats();
  return {
    parallel: 1,
    embed: (request, { signal } = {}) => named(stats.batch(embed(request, embedding, signal)), model.name),
    stats: stats.read,
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
