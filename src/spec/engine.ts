/**
 * The engine contract. An engine loads one model and answers typed requests; it knows nothing of chats, servers or
 * stores. Every engine passes `test/engine-contract.ts`.
 */
import type { GenerateEvent, PromptLogprobs } from "./event.ts";
import type { ImageInput } from "./media.ts";
import type { Capability, ModelInfo, Progress } from "./model.ts";
import type { Perform } from "./perform.ts";
import type { OutputFormat, Sampling } from "./sampling.ts";

export type EngineName = "llama" | "flint" | "onnx" | "tflite" | "speech" | "fake";

/**
 * `auto` takes the best accelerator that works, `cpu` never touches a GPU, `npu` is the neural processor that the system
 * has. Which engine knows which: its `refuse`.
 */
export const devices = ["auto", "cpu", "cuda", "vulkan", "metal", "coreml", "directml", "webgpu", "npu"] as const;
export type Device = (typeof devices)[number];

export const kvTypes = ["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"] as const;
export type KvType = (typeof kvTypes)[number];

export const loadQuantizations = ["q4", "q8"] as const;

/** How a model is loaded. Requests with equal options share one loaded model. */
export interface LoadOptions {
  /** `auto`, the default, takes what `hearth plan` says; a named engine runs the model or says why it cannot. */
  readonly engine?: EngineName | "auto";
  readonly device?: Device;
  /** Tokens of one sequence, prompt and answer together. Default: what the model was trained for, at most 4,096, less where memory is short. */
  readonly contextTokens?: number;
  /** Sequences that run at once. Default 8, at least 4. */
  readonly parallel?: number;
  readonly threads?: number;
  readonly batchTokens?: number;
  readonly gpuLayers?: number | "auto" | "max";
  readonly flashAttention?: boolean | "auto";
  readonly kvTypeK?: KvType;
  readonly kvTypeV?: KvType;
  readonly adapters?: readonly { readonly path: string; readonly scale?: number }[];
  /** A file that turns pictures into rows for this model. Default: the model's own. */
  readonly projector?: { readonly path: string };
  readonly mmap?: boolean;
  readonly mlock?: boolean;
  /** Tokens that the KV cache holds, of all sequences together. Default: `contextTokens · parallel`, less where memory is short. */
  readonly cacheTokens?: number;
  /** Guesses tokens ahead where that pays; the output does not change. Default `auto`. */
  readonly speculation?: "auto" | "off";
  /** A smaller model with the same vocabulary, whose guesses are used besides those from the text itself. */
  readonly draft?: { readonly path: string };
  /** Matrices of a model whose weights are not quantized (SafeTensors) become 4 or 8 bits while it is loaded. */
  readonly quantize?: (typeof loadQuantizations)[number];
  /** A folder for the KV cache of prompts that left memory; `mostBytes` 0: none, whatever the settings say. */
  readonly diskCache?: { readonly folder: string; readonly mostBytes: number };
}

/** `batch` work runs on what `interactive` work leaves. */
export type Priority = "interactive" | "batch";

/** Everything an engine needs to know about the model it is handed: validated files and a parsed header. */
export interface EngineModel {
  readonly name: string;
  /** Absolute path of the weights. Already validated by the reader of its format. */
  readonly path: string;
  readonly info: ModelInfo;
  /** The file that turns pictures into rows for this model, where it has one of its own. */
  readonly projector?: string;
}

/** Only `special` text may contain control tokens; other text is tokenized as plain text. */
export interface PromptText {
  readonly text: string;
  readonly special: boolean;
}

/** A picture, for models with the capability `vision`. The engine writes what its model wants around it. */
export interface PromptPicture {
  readonly image: ImageInput;
}

/** A piece of prompt. */
export type PromptPart = PromptText | PromptPicture;

/** An adapter of `LoadOptions.adapters`, by its path or its place there; without a scale that of the load. */
export interface AdapterChoice {
  readonly adapter: string | number;
  readonly scale?: number;
}

export interface GenerateRequest {
  readonly prompt: readonly PromptPart[] | readonly number[];
  readonly sampling: Sampling;
  /** Most tokens to generate. Absent: until the model stops or the context is full. */
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
  readonly format?: OutputFormat;
  /** Report the chosen token's logprob and this many of the most likely ones. */
  readonly topLogprobs?: number;
  /** Go on past the model's end token. */
  readonly ignoreEos?: boolean;
  /** The adapters that it wants of those that were loaded with the model. Absent: all of them; empty: none. */
  readonly adapters?: readonly AdapterChoice[];
  /** KV cache entries are shared within one tenant only. */
  readonly tenant?: string;
  /** Default `interactive`. */
  readonly priority?: Priority;
}

/** How likely a prompt is. Sampling options play no part in that. */
export interface ScoreRequest {
  readonly prompt: GenerateRequest["prompt"];
  /** Report this many of the most likely tokens at each place; 0 is the fastest. */
  readonly topLogprobs: number;
  /** The first token that is scored. Default 1: nothing comes before token 0. */
  readonly from?: number;
  /** These as in `GenerateRequest`. */
  readonly adapters?: readonly AdapterChoice[];
  readonly tenant?: string;
  readonly priority?: Priority;
}
export interface ScoreResult extends PromptLogprobs {
  readonly promptTokens: number;
}

export interface EmbedRequest {
  readonly texts: readonly string[];
}
export interface EmbedResult {
  /** One vector per text, L2-normalized. */
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
}

export interface RerankRequest {
  readonly query: string;
  readonly documents: readonly string[];
}
export interface RerankResult {
  /** One score from 0 to 1 per document, in the order of the documents. */
  readonly scores: readonly number[];
  readonly tokens: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface EngineMemory {
  readonly ramBytes: number;
  readonly vramBytes: number;
  /** What the system counts for the engine's own process, pages of mapped files among it. */
  readonly residentBytes?: number;
}

/** What an engine will keep in memory of one model, known before it is loaded. */
export interface EngineFootprint {
  /** Weights in the engine's own layout. */
  readonly weightBytes: number;
  /** The process, before any model. */
  readonly processBytes: number;
  /** Working memory of each row of a batch. */
  readonly rowBytes: number;
  /** Rows of a batch where the load options name none. */
  readonly batchTokens: number;
  /** The cache of a sequence grows in blocks of so many tokens. */
  readonly blockTokens: number;
  /**
   * The sequences share the blocks, so that there may be fewer than all of them could need at once; those of one more
   * context stand ready for texts that are computed and forgotten. Absent: each sequence has the place of a whole context.
   */
  readonly sharesCache?: boolean;
  /** What turns pictures into rows: its weights, and all that it works with besides. */
  readonly pictures?: { readonly weightBytes: number; readonly workBytes: number };
}

/** Where the time of the steps since the call before went. */
export interface EngineProfile {
  /** Steps that were measured: one for each token of decoding, fewer for a prompt. */
  readonly steps: number;
  /** Kind of work → milliseconds of all steps together, most first. */
  readonly rows: readonly { readonly what: string; readonly ms: number }[];
}

/** What an engine does now, and what it has done since the model was loaded. */
export interface EngineStats {
  /** Requests that take part in the steps, and those that wait for that. */
  readonly running: number;
  readonly waiting: number;
  readonly steps: number;
  /** Tokens that the steps computed: of prompts, of answers, and guesses. */
  readonly stepTokens: number;
  /** Tokens of prompts, and how many of them came out of the cache in memory and on disk. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly restoredTokens: number;
  readonly generatedTokens: number;
  /** Tokens guessed ahead, and those of them that were right. */
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  /** Requests that had to give their place in the cache to others for a while. */
  readonly preemptions: number;
  /** Blocks of the KV cache: all, those that running requests hold, and those kept for prompts to come. */
  readonly blocks: { readonly total: number; readonly used: number; readonly cached: number };
  /** Bytes of the cache on disk. */
  readonly diskBytes: number;
  /** When this was so, ms as `performance.now()` of the reader's process counts them. Absent: now. */
  readonly atMs?: number;
}

/** A model in memory. Methods exist for what the model can do. All calls may run at once; the engine batches them. */
export interface LoadedModel {
  readonly engine: EngineName;
  readonly capabilities: readonly Capability[];
  /** Device it really runs on, e.g. `cpu` or `cuda`. */
  readonly device: Exclude<Device, "auto">;
  readonly contextTokens: number;
  /** Requests that make progress at once; more of them wait inside the engine. */
  readonly parallel: number;
  /** Sampling options it applies; a request with another active option is refused. */
  readonly samplingOptions: ReadonlySet<keyof Sampling>;
  /** Resolves when the engine died by itself; never rejects. Requests in flight throw `engine_failed`. */
  readonly died: Promise<void>;

  /** What takes the place of a token in a picture counts as the token -1. */
  tokenize(parts: readonly PromptPart[], options?: CallOptions): Promise<readonly number[]>;
  detokenize(tokens: readonly number[], options?: CallOptions): Promise<string>;
  /**
   * Adds the model's token for the begin of a text where the prompt lacks it. Control tokens that the model generates
   * are part of the text: `chat/output` tells what they mean.
   * Throws `context_too_long` with details {promptTokens, contextTokens} before any work, `grammar_invalid` for a
   * format it cannot enforce, `aborted` within one step of the signal.
   */
  generate?(request: GenerateRequest, options?: CallOptions): AsyncIterable<GenerateEvent>;
  /**
   * How likely each token of a prompt is, given those before it: the numbers that `generate` would report. Begins the
   * prompt as `generate` does. Throws `context_too_long` with details {promptTokens, contextTokens} for a prompt that
   * does not fit, `aborted` within one step of the signal.
   */
  score?(request: ScoreRequest, options?: CallOptions): Promise<ScoreResult>;
  embed?(request: EmbedRequest, options?: CallOptions): Promise<EmbedResult>;
  rerank?(request: RerankRequest, options?: CallOptions): Promise<RerankResult>;
  /** Runs the tasks of `capabilities` that are no text generation; others throw `unsupported_capability`. */
  perform?: Perform;
  memory(): EngineMemory;
  /** As of the last message of the engine. */
  stats?(): EngineStats;
  /**
   * Gives the memory of its weights and its cache back; the next call takes it again. Resolves to whether it sleeps:
   * while requests run it does nothing. Absent: it cannot.
   */
  sleep?(): Promise<boolean>;
  /** The first call starts measuring and tells of no steps; measuring slows every step a little. */
  profile?(options?: CallOptions): Promise<EngineProfile>;
  /** Frees everything; idempotent. Requests in flight throw. */
  dispose(): Promise<void>;
}

export interface EngineLoadOptions extends CallOptions {
  readonly onProgress?: (progress: Progress) => void;
}

export interface Engine {
  readonly name: EngineName;
  /** Why it cannot run this model on this device, or undefined when it can. Pure; touches no native code. */
  refuse(info: ModelInfo, device: Device): string | undefined;
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<LoadedModel>;
}
