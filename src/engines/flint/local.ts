/** flint in this process. It runs in the engine's child process. */
import { availableParallelism } from "node:os";
import { HearthError, isAbort } from "../../error.ts";
import { readGguf } from "../../formats/gguf/read.ts";
import { modelSampling } from "../../formats/gguf/sampling.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { Engine, EngineLoadOptions, EngineModel, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { createSlots } from "../../util/slots.ts";
import { checkModel } from "./check.ts";
import { embed, rerank } from "./embed.ts";
import { generate } from "./generate.ts";
import { prepare } from "./prepare.ts";
import { flintSamplingOptions } from "./sampling-options.ts";
import { createModelText } from "./text.ts";
import { startNodeThread } from "./threads/node-thread.ts";
import { startThreads } from "./threads/pool.ts";
import type { FlintThreads } from "./threads/pool.ts";
import { createGgufTokenizer } from "./tokenizer/gguf.ts";

const defaultContextTokens = 4096;
const defaultParallel = 8;

export function createLocalFlint(_notice: (text: string) => void): Engine {
  return {
    name: "flint",
    refuse: () => undefined,
    async load(model, options, call = {}) {
      try {
        return await loadModel({ model, options, call });
      } catch (error) {
        if (call.signal?.aborted || isAbort(error) || error instanceof HearthError) throw error;
        throw new HearthError("engine_load_failed", `Model "${model.name}" could not be loaded: ${String(error)}`, {
          hint: "The file may be damaged (`hearth verify`), or the load options may not fit the model.",
          cause: error,
        });
      }
    },
  };
}

interface LoadJob {
  readonly model: EngineModel;
  readonly options: LoadOptions;
  readonly call: EngineLoadOptions;
}

async function loadModel({ model, options, call }: LoadJob): Promise<LoadedModel> {
  const { info } = model;
  const file = await readGguf(model.path);
  const tokenizer = createGgufTokenizer(file.metadata);
  const contextTokens = options.contextTokens ?? Math.min(info.trainContextTokens || Infinity, defaultContextTokens);
  const parallel = options.parallel ?? defaultParallel;
  const checked = checkModel(file, contextTokens);
  const workers = Math.max(1, options.threads ?? availableParallelism());
  const prepared = prepare(file, checked, { contextTokens, parallel, workers, batchTokens: options.batchTokens });
  const threads = await startThreads({
    setup: prepared.setup,
    file: { path: model.path },
    start: startNodeThread,
    signal: call.signal,
    onProgress: (bytes) =>
      call.onProgress?.({
        phase: "load",
        label: model.name,
        completedBytes: Math.min(bytes, info.weightBytes),
        totalBytes: info.weightBytes,
      }),
  });
  call.onProgress?.({ phase: "load", label: model.name, completedBytes: info.weightBytes, totalBytes: info.weightBytes });
  const { setup } = prepared;
  return {
    engine: "flint",
    device: "cpu",
    contextTokens,
    capabilities: info.capabilities,
    samplingOptions: flintSamplingOptions,
    // The parent notices when this process dies; here nobody would be left to tell.
    died: new Promise<void>(() => {}),
    memory: () => ({ ramBytes: prepared.usedBytes(), vramBytes: 0 }),
    dispose: () => threads.dispose(),
    ...methods({ file, model, threads, contextTokens, parallel, text: createModelText(tokenizer, info), rows: setup.plan.capacity.all }),
  };
}

interface MethodsContext {
  readonly file: GgufFile;
  readonly model: EngineModel;
  readonly threads: FlintThreads;
  readonly contextTokens: number;
  readonly parallel: number;
  readonly text: ReturnType<typeof createModelText>;
  readonly rows: number;
}

type Methods = Pick<LoadedModel, "parallel" | "tokenize" | "detokenize" | "generate" | "embed" | "rerank">;

function methods({ model, threads, contextTokens, parallel, text, rows }: MethodsContext): Methods {
  const { info } = model;
  const shared = {
    tokenize: async (parts: Parameters<LoadedModel["tokenize"]>[0]) => text.promptTokens(parts),
    detokenize: async (tokens: readonly number[]) => text.detokenize(tokens),
  };
  const encoder = { threads, text, contextTokens: Math.min(contextTokens, rows), pooling: info.pooling ?? "mean" };
  if (info.capabilities.includes("rerank")) {
    return { ...shared, parallel: 1, rerank: (request, { signal } = {}) => rerank(request, encoder, signal) };
  }
  if (info.capabilities.includes("embed")) {
    return { ...shared, parallel: 1, embed: (request, { signal } = {}) => embed(request, encoder, signal) };
  }
  const context = { threads, text, contextTokens, slots: createSlots(parallel), defaults: modelSampling(info) };
  return { ...shared, parallel, generate: (request, { signal } = {}) => generate(request, context, signal) };
}
