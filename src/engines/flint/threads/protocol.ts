/** What the engine's thread for requests and the leader of the compute workers say to each other. */
import type { SerializedError } from "../../../error.ts";
import type { LoadOptions, Priority } from "../../../spec/engine.ts";
import type { OutputFormat, Sampling } from "../../../spec/sampling.ts";
import type { PlacedPicture } from "../pictures/names.ts";
import type { Turned } from "../vision/turned.ts";
import type { VocabularyData } from "../tokenizer/vocabulary.ts";
import type { LoadSetup } from "./load.ts";
import type { Scores } from "./scoring.ts";
import type { ScoreOptions } from "./texts.ts";

/** How a worker gets the bytes of the model: a path, in a browser the file itself, or a folder that is read as one file. */
export type FileSource =
  | { readonly path: string; readonly turned?: readonly Turned[] }
  | { readonly blob: Blob }
  | { readonly checkpoint: string; readonly quantize?: LoadOptions["quantize"] };

/** The first message to a worker, while the header of the model is read. */
export interface RoleMessage {
  readonly leads: boolean;
}

/** The second: what to load. */
export interface LoadMessage {
  readonly setup: LoadSetup;
  readonly file: FileSource;
  /** A second model, whose guesses the first one checks. */
  readonly draft?: { readonly setup: LoadSetup; readonly file: FileSource } | undefined;
}

/** The third: what it computes with. */
export interface ComputeMessage {
  readonly module: WebAssembly.Module;
  readonly draft?: WebAssembly.Module | undefined;
  /** For the leader. */
  readonly vocabulary?: VocabularyData;
}

export interface GenerateCommand {
  readonly type: "generate";
  readonly id: number;
  /** Cache blocks are shared by sequences with one root: of one tenant, with the same adapters. */
  readonly root: string;
  readonly priority: Priority;
  /** Tokens, and names of rows. */
  readonly prompt: readonly number[];
  /** Those whose rows the prompt names. */
  readonly pictures?: readonly PlacedPicture[];
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

/** What an encoder of pictures makes of one: rows of its results, as one vector. */
export interface PictureCommand {
  readonly type: "picture";
  readonly id: number;
  readonly rows: number;
  readonly outputs: number;
  /** For each input of the graph `rows` rows. */
  readonly inputs: readonly Float32Array[];
  /** Rows of angles, where heads are rotated. */
  readonly angles?: Float32Array | undefined;
  /** Where each window of rows ends. */
  readonly parts?: Int32Array | undefined;
}

/** How likely a text is. */
export interface ScoreCommand extends ScoreOptions {
  readonly type: "score";
  readonly id: number;
  readonly priority: Priority;
}

export type Command =
  | GenerateCommand
  | EncodeCommand
  | PictureCommand
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
  /** One line for the person at the terminal. */
  | { readonly type: "notice"; readonly text: string }
  /** All work is done that a `stop` lets be done. */
  | { readonly type: "stopped" }
  /** A generation has its place among those that run. */
  | { readonly type: "begun"; readonly id: number }
  /** Its prompt is computed, or was in the cache. */
  | { readonly type: "prompted"; readonly id: number; readonly cachedTokens: number }
  | { readonly type: "token"; readonly id: number; readonly choice: TokenChoice }
  /** `ended`: the model's end token came; else the most tokens or the context. */
  | { readonly type: "end"; readonly id: number; readonly ended: boolean }
  | { readonly type: "vectors"; readonly id: number; readonly vectors: readonly Float32Array[] }
  | { readonly type: "scores"; readonly id: number; readonly scores: Scores }
  | { readonly type: "profile"; readonly id: number; readonly steps: number; readonly rows: readonly ProfileRow[] }
  | { readonly type: "error"; readonly id: number; readonly error: SerializedError };

export interface ProfileRow {
  readonly what: string;
  readonly ms: number;
}
