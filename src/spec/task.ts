/** Requests of the typed library (row 5) that dialects, commands and programs build. */
import type { AdapterChoice, LoadOptions, Priority } from "./engine.ts";
import type { Message, Tool, ToolChoice } from "./message.ts";
import type { TaskName, Tasks } from "./perform.ts";
import type { OutputFormat, OverflowPolicy, Sampling } from "./sampling.ts";

/** What every task takes: which model, how to load it, who asks. */
export interface TaskOptions {
  readonly model: string;
  readonly load?: LoadOptions;
  /** How long the model stays loaded after this request, ms. Infinity: for ever, 0: unload now. */
  readonly keepAliveMs?: number;
  /** Separates the KV caches of different callers, who get equal shares of the time of a model. */
  readonly tenant?: string;
  /** `batch` work waits for all that is `interactive`, the default, and is paused for it. */
  readonly priority?: Priority;
  readonly signal?: AbortSignal;
}

export interface GenerationOptions extends TaskOptions {
  readonly sampling?: Sampling;
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
  readonly format?: OutputFormat;
  readonly topLogprobs?: number;
  /**
   * Report how likely the tokens of the prompt are, with this many of the most likely ones at each place: one event
   * `prompt-logprobs` for each completion. With `maxTokens: 0` nothing else is computed.
   */
  readonly promptLogprobs?: number;
  readonly overflow?: OverflowPolicy;
  /** Completions of the one prompt; 1 to 16. */
  readonly n?: number;
  readonly ignoreEos?: boolean;
  /** The adapters that it wants of those that were loaded with the model. Absent: all of them; empty: none. */
  readonly adapters?: readonly AdapterChoice[];
}

export interface ChatRequest extends GenerationOptions {
  readonly messages: readonly Message[];
  readonly tools?: readonly Tool[];
  readonly toolChoice?: ToolChoice;
  /** Reasoning on or off, or an effort, where the template knows it. Absent: as the template does by default. */
  readonly think?: boolean | "low" | "medium" | "high";
  /** Extra variables for the chat template. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  /** Replaces the chat template of the model. */
  readonly template?: string;
}

export interface CompleteRequest extends GenerationOptions {
  readonly prompt: string | readonly number[];
  /** Text after the gap, for models that can fill in the middle. */
  readonly suffix?: string;
  /** Control tokens in the prompt count as such (Ollama's `raw`). Default false. */
  readonly special?: boolean;
  /** Put the prompt before the answer. */
  readonly echo?: boolean;
}

export interface EmbedTaskRequest extends TaskOptions {
  readonly texts: readonly string[];
  /** Keep the first so many components and normalize again (Matryoshka models). */
  readonly dimensions?: number;
  /** A text that is too long is cut instead of refused; the result says so. Default false. */
  readonly truncate?: boolean;
}
export interface EmbedTaskResult {
  readonly model: string;
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  /** Indices of the texts that were cut. */
  readonly truncated: readonly number[];
  readonly loadMs: number;
  readonly totalMs: number;
}

export interface RerankTaskRequest extends TaskOptions {
  readonly query: string;
  readonly documents: readonly string[];
  readonly topN?: number;
}
export interface RerankTaskResult {
  readonly model: string;
  /** Best first. */
  readonly results: readonly { readonly index: number; readonly score: number }[];
  readonly tokens: number;
}

export interface PerformTaskRequest<Name extends TaskName> extends TaskOptions {
  readonly task: Name;
  readonly input: Tasks[Name]["request"];
  /** Called in order with what is there before the result is. */
  readonly onPart?: (part: Tasks[Name]["part"]) => void;
}
export interface PerformTaskResult<Name extends TaskName> {
  readonly model: string;
  readonly output: Tasks[Name]["result"];
  readonly loadMs: number;
  readonly totalMs: number;
}
