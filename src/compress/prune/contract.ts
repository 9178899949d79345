/** What can be taken out of a model, and what was. */
import type { Progress } from "../../spec/model.ts";
import type { Collected } from "../imatrix/collect.ts";
import type { OutputFile } from "../output.ts";

/** So many, or such a part of all: 0 to 1, without both. */
export type Amount = { readonly count: number } | { readonly part: number };

/** Which weights become zero: such a part of them, or all but `keep` of `of` that stand side by side in a row. */
export type Zeros = { readonly part: number } | { readonly keep: number; readonly of: number };

/** `magnitude`: the smallest ones. `wanda`: those with the smallest |w| · ‖x‖ (arXiv 2306.11695). */
export type ZeroMethod = "magnitude" | "wanda";

export interface Cuts {
  /** Layers, counted from 0: those that turn least what goes through them (arXiv 2403.03853), or the ones that are named. */
  readonly layers?: Amount | { readonly drop: readonly number[] } | undefined;
  /** Attention heads of each layer; those that share keys go together. */
  readonly heads?: Amount | undefined;
  /** Channels between the two matrices of each feed-forward part. */
  readonly channels?: Amount | undefined;
  readonly zeros?: (Zeros & { readonly method: ZeroMethod }) | undefined;
}

/** What a text told about a model; see `collectImportance`. */
export type Activations = Pick<Collected, "file" | "cosines">;

export interface PruneOptions extends Cuts {
  /** A GGUF file, the first of several, or a checkpoint's folder. */
  readonly source: string;
  /** A GGUF file where the name ends so, else a folder. */
  readonly out: string;
  /** Asked where the choice depends on what a text causes, after all that can be checked without it. */
  readonly measure?: (() => Promise<Activations>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly freeBytes?: OutputFile["freeBytes"];
}

interface Change {
  readonly before: number;
  readonly after: number;
}

/** What was taken out. */
export interface PruneFacts {
  readonly layers?: Change & { readonly dropped: readonly number[] };
  /** Of each layer. */
  readonly heads?: Change;
  readonly channels?: Change;
  readonly zeros?: ZeroFacts;
}

export interface ZeroFacts {
  readonly method: ZeroMethod;
  /** "2:4"; absent: no pattern. */
  readonly pattern?: string;
  /** Part of the weights of the matrices of the layers that are zero, and part of all weights. */
  readonly inLayers: number;
  readonly inAll: number;
}

export interface PruneReport {
  readonly path: string;
  readonly format: "gguf" | "safetensors";
  readonly architecture: string;
  readonly sizeBytes: number;
  readonly weights: number;
  readonly sourceWeights: number;
  readonly facts: PruneFacts;
  /** 1 − cosine between input and output of each layer of the source; only where it was measured. */
  readonly influence?: readonly number[];
  /** Part of each matrix that is zero. */
  readonly tensors: readonly { readonly name: string; readonly zeros: number }[];
  /** What the format does not hold. */
  readonly notes: readonly string[];
  readonly ms: number;
}
