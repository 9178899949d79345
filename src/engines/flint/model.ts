/** Loads a model and answers for it; the same under Node and in a browser. */
import { HearthError, isAbort } from "../../error.ts";
import { modelSampling } from "../../formats/gguf/sampling.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { EngineLoadOptions, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import type { LoadedAdapter } from "./adapters/choose.ts";
import type { OpenAdapter } from "./adapters/open.ts";
import { prepareAdapters } from "./adapters/open.ts";
import type { StoreSetup } from "./cache/store.ts";
import type { CheckedModel } from "./check.ts";
import { checkModel } from "./check.ts";
import { embed, rerank } from "./embed.ts";
import { generate } from "./generate.ts";
import type { PictureEncoder } from "./pictures/encoder.ts";
import { createPictureEncoder } from "./pictures/encoder.ts";
import { readPrompt } from "./pictures/prompt.ts";
import { prepareDraft } from "./prepare-draft.ts";
import type { Prepared, PrepareOptions } from "./prepare.ts";
import { checkPictureTokens, stepRows } from "./pictures/both-ways.ts";
import { prepare } from "./prepare.ts";
import { cacheTypesOf } from "./refuse.ts";
import { flintSamplingOptions } from "./sampling-options.ts";
import { score } from "./score.ts";
import { createModelText } from "./text.ts";
import { Counters } from "./threads/counters.ts";
import { startThreads } from "./threads/pool.ts";
import type { FlintThreads, StartedThreads, StartThread, ThreadsOptions, WorkersLoad } from "./threads/pool.ts";
import type { FileSource } from "./threads/protocol.ts";
import { createSleeper } from "./threads/sleep.ts";
import type { GgufTokenizer } from "./tokenizer/gguf.ts";
import { createGgufTokenizer } from "./tokenizer/gguf.ts";
import type { Vision, VisionSource } from "./vision/contract.ts";

const defaultContextTokens = 4096;
const defaultParallel = 8;

/** What a platform brings: how it reads a header, hands a file to its threads, and starts them. */
export interface Platform {
  readonly readHeader: () => Promise<GgufFile>;
  readonly file: FileSource;
  readonly start: StartThread;
  /** Threads where the options name no number. */
  readonly cores: number;
  readonly openAdapter?: OpenAdapter;
  /** Where blocks of the KV cache are kept outside memory; absent: nowhere. */
  readonly store?: (model: StoredModel, options: LoadOptions) => Promise<StoreSetup | undefined>;
  readonly onNotice?: ((text: string) => void) | undefined;
  /** The model of `LoadOptions.draft`. */
  readonly draft?: Pick<Platform, "readHeader" | "file"> | undefined;
  /** What turns pictures into rows of this model. */
  readonly vision?: VisionPlatform | undefined;
}

export interface VisionPlatform {
  /** What tells the projector from others. */
  readonly identify: () => Promise<string>;
  readonly open: (source: Pick<VisionSource, "threads" | "width" | "signal">) => Promise<Vision>;
}

export interface StoredModel extends CheckedModel {
  readonly header: GgufFile;
}

export interface LoadJob {
  readonly model: { readonly name: string; readonly info: ModelInfo };
  readonly options: LoadOptions;
  readonly call: EngineLoadOptions;
}

/** Throws `engine_load_failed` for whatever has no code of its own. */
export async function loadModel(job: LoadJob, platform: Platform): Promise<LoadedModel> {
  const { model, call } = job;
  try {
    return await load(job, platform);
  } catch (error) {
    if (call.signal?.aborted || isAbort(error) || error instanceof HearthError) throw error;
    throw new HearthError("engine_load_failed", `Model "${model.name}" could not be loaded: ${String(error)}`, {
      hint: "The file may be damaged (`hearth verify`), or the load options may not fit the model.",
      cause: error,
    });
  }
}

async function load(job: LoadJob, platform: Platform): Promise<LoadedModel> {
  const { model, options, call } = job;
  const { file, start, cores, onNotice } = platform;
  let opened: OpenedModel | undefined;
  const onProgress = (bytes: number): void => {
    // Weights that are rounded while they are loaded are fewer bytes than those of the files.
    const totalBytes =
      opened?.header.tensors.reduce((sum, tensor) => sum + tensor.sizeBytes, 0) ?? model.info.weightBytes;
    call.onProgress?.({ phase: "load", label: model.name, completedBytes: Math.min(bytes, totalBytes), totalBytes });
  };
  const workers = Math.max(1, options.threads ?? cores);
  const begin = async (work: (started: StartedThreads) => Promise<Started>, more: Partial<ThreadsOptions>) => {
    const started = startThreads({ workers, file, start, onNotice, ...more });
    try {
      return await work(started);
    } catch (error) {
      await started.end();
      throw error;
    }
  };
  // The threads come up while the header is read.
  const first = await begin(
    async (started) => startModel((opened = await openModel(job, { platform, workers })), started, call.signal),
    { signal: call.signal, onProgress },
  );
  if (!opened) throw new Error("no model");
  const known = opened;
  try {
    const encoder = await openEncoder(known);
    onProgress(Infinity);
    return createLoaded({ ...known, encoder }, first, () => begin((started) => startModel(known, started), {}));
  } catch (error) {
    await first.threads.dispose();
    throw error;
  }
}

/** A projector that flint does not run leaves a model that reads text. */
async function openEncoder(opened: OpenedModel): Promise<PictureEncoder | undefined> {
  const { vision, onNotice } = opened.platform;
  if (!vision) return undefined;
  try {
    return await openVisionOf(opened, vision);
  } catch (error) {
    if (!(error instanceof HearthError) || error.code !== "model_unsupported") throw error;
    onNotice?.(`${opened.job.model.name} takes text alone: ${error.message}`);
    return undefined;
  }
}

async function openVisionOf({ job, sizes, checked }: OpenedModel, vision: VisionPlatform): Promise<PictureEncoder> {
  const { model, call } = job;
  const source = { threads: sizes.workers, width: model.info.embeddingLength };
  let { signal } = call;
  return await createPictureEncoder({
    identity: await vision.identify(),
    async open() {
      // The signal is that of the load; who wakes the encoder later has another one.
      const opening = vision.open({ ...source, ...(signal && { signal }) });
      signal = undefined;
      const opened = await opening;
      const { batchTokens = Infinity, parallel } = sizes;
      try {
        checkPictureTokens(opened.mostTokens, checked.hyperparameters, batchTokens - parallel);
      } catch (error) {
        await opened.dispose();
        throw error;
      }
      return opened;
    },
  });
}

/** What is read and checked once. */
interface OpenedModel {
  readonly job: LoadJob;
  readonly platform: Platform;
  readonly header: GgufFile;
  readonly tokenizer: GgufTokenizer;
  readonly checked: CheckedModel;
  readonly sizes: PrepareOptions;
  readonly store: StoreSetup | undefined;
  readonly draft: GgufFile | undefined;
  /** The compiled kernels; they outlive a sleep. */
  modules: readonly WebAssembly.Module[];
}

/** What can be refused is refused before memory is asked for. */
async function openModel(
  job: LoadJob,
  { platform, workers }: { readonly platform: Platform; readonly workers: number },
): Promise<OpenedModel> {
  const { options, model } = job;
  const header = await platform.readHeader();
  const tokenizer = createGgufTokenizer(header.metadata);
  const wanted = options.contextTokens ?? Math.min(model.info.trainContextTokens || Infinity, defaultContextTokens);
  const checked = checkModel(header, wanted);
  const { encoder, trainContextTokens } = checked.hyperparameters;
  // Encoders know no positions beyond those of their training.
  const most = encoder ? trainContextTokens : (options.cacheTokens ?? Infinity);
  const { batchTokens, cacheTokens, parallel = defaultParallel } = options;
  const speculation = options.speculation !== "off";
  if (speculation && options.draft && !platform.draft) {
    throw new HearthError("model_unsupported", `Model "${model.name}" cannot have a draft model here.`);
  }
  return {
    job,
    platform,
    header,
    tokenizer,
    checked,
    sizes: {
      contextTokens: Math.min(wanted, most),
      parallel,
      workers,
      batchTokens: platform.vision ? stepRows(checked.hyperparameters, batchTokens) : batchTokens,
      cacheTokens,
      cacheTypes: cacheTypesOf(options),
      speculation,
      counters: new Counters(new SharedArrayBuffer(Counters.bytes)),
    },
    store: encoder ? undefined : await platform.store?.({ header, ...checked }, options),
    draft: speculation ? await platform.draft?.readHeader() : undefined,
    modules: [],
  };
}

/** A model in memory. */
interface Started {
  readonly threads: FlintThreads;
  readonly adapters: readonly LoadedAdapter[];
  readonly usedBytes: () => number;
  /** Rows of a step. */
  readonly rows: number;
}

async function startModel(opened: OpenedModel, started: StartedThreads, signal?: AbortSignal): Promise<Started> {
  const { job, platform, header, tokenizer, checked, sizes, store } = opened;
  const adapting = { adapters: job.options.adapters, model: header, open: platform.openAdapter, signal };
  const { setup, kernels, usedBytes, adapters } = await prepareAdapters(adapting, (files) =>
    prepare(header, checked, { ...sizes, adapters: files }),
  );
  const draft = opened.draft && prepareDraft(opened.draft, tokenizer, { ...sizes, counters: undefined });
  started.load(withDraft({ ...setup, store }, draft && platform.draft && { ...draft, file: platform.draft.file }));
  if (opened.modules.length === 0) {
    const writers = [kernels, ...(draft ? [draft.kernels] : [])];
    opened.modules = await Promise.all(writers.map((write) => WebAssembly.compile(write())));
  }
  const [module, draftModule] = opened.modules;
  if (!module) throw new Error("no module");
  const threads = await started.ready({ module, draft: draftModule, vocabulary: tokenizer.vocabulary });
  // Of the draft model no more than this is held on to: its memory could not be collected otherwise.
  const draftBytes = draft?.usedBytes ?? (() => 0);
  return {
    threads,
    adapters,
    usedBytes: () => usedBytes() + draftBytes(),
    rows: setup.plan.capacity.all,
  };
}

function createLoaded(
  { job, tokenizer, sizes, encoder }: OpenedModel & { readonly encoder: PictureEncoder | undefined },
  first: Started,
  wake: () => Promise<Started>,
): LoadedModel {
  const { info } = job.model;
  const { contextTokens, parallel, counters } = sizes;
  let current: Started | undefined = first;
  const threads = createSleeper(first.threads, async () => (current = await wake()).threads);
  return {
    engine: "flint",
    device: "cpu",
    contextTokens,
    capabilities: [...info.capabilities.filter((name) => name !== "vision"), ...(encoder ? (["vision"] as const) : [])],
    samplingOptions: flintSamplingOptions,
    died: threads.died.then(() => undefined),
    memory: () => ({ ramBytes: (current?.usedBytes() ?? 0) + (encoder?.bytes ?? 0), vramBytes: 0 }),
    ...(counters && { stats: () => counters.stats() }),
    async profile({ signal } = {}) {
      const { steps, rows } = await threads.ask({ type: "profile" }, "profile", signal);
      return { steps, rows };
    },
    async sleep() {
      const asleep = encoder?.busy !== true && (await threads.sleep());
      if (asleep) {
        current = undefined;
        await encoder?.rest();
      }
      return asleep;
    },
    async dispose() {
      await Promise.all([threads.dispose(), encoder?.dispose()]);
    },
    ...methods({
      info,
      encoder,
      threads,
      contextTokens,
      parallel,
      adapters: first.adapters,
      text: createModelText(tokenizer, info),
      rows: first.rows,
    }),
  };
}

interface OpenedDraft extends Prepared {
  readonly file: FileSource;
}

/** Both take turns under one control. */
function withDraft(setup: Prepared["setup"], draft: OpenedDraft | undefined): Omit<WorkersLoad, "file"> {
  if (!draft) return { setup };
  const [larger] = [setup, draft.setup].toSorted((a, b) => b.stages - a.stages);
  const { control, stages } = larger ?? setup;
  return {
    setup: { ...setup, control, stages },
    draft: { setup: { ...draft.setup, control, stages }, file: draft.file },
  };
}

interface MethodsContext {
  readonly info: ModelInfo;
  readonly threads: FlintThreads;
  readonly contextTokens: number;
  readonly parallel: number;
  readonly adapters: readonly LoadedAdapter[];
  readonly text: ReturnType<typeof createModelText>;
  readonly encoder: PictureEncoder | undefined;
  readonly rows: number;
}

type Methods = Pick<LoadedModel, "parallel" | "tokenize" | "detokenize" | "generate" | "score" | "embed" | "rerank">;

function methods({
  info,
  threads,
  contextTokens,
  parallel,
  adapters,
  text,
  encoder: pictures,
  rows,
}: MethodsContext): Methods {
  const shared: Pick<LoadedModel, "tokenize" | "detokenize"> = {
    async tokenize(parts, { signal } = {}) {
      const { names } = await readPrompt(parts, { text, encoder: pictures }, { signal });
      return names.map((name) => Math.max(name, -1));
    },
    detokenize: async (tokens: readonly number[]) => text.detokenize(tokens),
  };
  const encoder = { threads, text, contextTokens: Math.min(contextTokens, rows), pooling: info.pooling ?? "mean" };
  if (info.capabilities.includes("rerank")) {
    return { ...shared, parallel: 1, rerank: (request, { signal } = {}) => rerank(request, encoder, signal) };
  }
  if (info.capabilities.includes("embed")) {
    return { ...shared, parallel: 1, embed: (request, { signal } = {}) => embed(request, encoder, signal) };
  }
  const context = {
    threads,
    text,
    encoder: pictures,
    contextTokens,
    adapters,
    defaults: modelSampling(info),
  };
  return {
    ...shared,
    parallel,
    generate: (request, { signal } = {}) => generate(request, context, signal),
    score: (request, { signal } = {}) => score(request, context, signal),
  };
}
