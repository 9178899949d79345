/** What the engine's thread for requests and the leader of the compute workers say to each other. */
import type { SerializedError } from "../../../error.ts";
import type { OutputFormat, Sampling } from "../../../spec/sampling.ts";
import type { VocabularyData } from "../tokenizer/vocabulary.ts";
import type { LoadSetup } from "./load.ts";

/** How a worker gets the bytes of the model: a path, or in a browser the file itself. */
export type FileSource = { readonly path: string } | { readonly blob: Blob };

/** The first message to a worker, while the header of the model is read. */
export interface RoleMessage {
  readonly leads: boolean;
}

/** The second: what to load. */
export interface LoadMessage {
  readonly setup: LoadSetup;
  readonly file: FileSource;
}

/** The third: what it computes with. */
export interface ComputeMessage {
  readonly module: WebAssembly.Module;
  /** For the leader. */
  readonly vocabulary?: VocabularyData;
}

export interface GenerateCommand {
  readonly type: "generate";
  readonly id: number;
  /** Place in the cache, and how many tokens at its start are the prompt's already. */
  readonly slot: number;
  readonly keep: number;
  readonly prompt: readonly number[];
  readonly sampling: Sampling;
  readonly most: number;
  readonly topLogprobs: number | undefined;
  readonly ignoreEos: boolean;
  readonly format: OutputFormat | undefined;
  /** Scale of each loaded adapter; absent: those of the load. */
  readonly adapters?: readonly number[] | undefined;
}

/** Hidden states or class scores of whole texts, one sequence each. */
export interface EncodeCommand {
  readonly type: "encode";
  readonly id: number;
  readonly texts: readonly (readonly number[])[];
}

/** Logits of every row of a text, for measuring. */
export interface ScoreCommand {
  readonly type: "score";
  readonly id: number;
  readonly tokens: readonly number[];
  /** First row whose next token is scored. */
  readonly from: number;
}

export type Command =
  | GenerateCommand
  | EncodeCommand
  | ScoreCommand
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "profile"; readonly id: number }
  | { readonly type: "stop" };

export interface TokenChoice {
  readonly token: number;
  readonly logprob?: number;
  readonly top?: readonly { readonly token: number; readonly logprob: number }[];
}

export type Reply =
  | { readonly type: "loaded" }
  | { readonly type: "load-failed"; readonly error: SerializedError }
  /** A generation was accepted: its format and its options are such that it can run. */
  | { readonly type: "begun"; readonly id: number }
  | { readonly type: "token"; readonly id: number; readonly choice: TokenChoice }
  /** `ended`: the model's end token came; else the most tokens or the context. `computed`: tokens in the cache. */
  | { readonly type: "end"; readonly id: number; readonly ended: boolean; readonly computed: number }
  | { readonly type: "vectors"; readonly id: number; readonly vectors: readonly Float32Array[] }
  | { readonly type: "logprobs"; readonly id: number; readonly logprobs: Float32Array }
  | { readonly type: "profile"; readonly id: number; readonly steps: number; readonly rows: readonly ProfileRow[] }
  | { readonly type: "error"; readonly id: number; readonly error: SerializedError };

export interface ProfileRow {
  readonly what: string;
  readonly ms: number;
}
