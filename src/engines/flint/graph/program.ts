/** The recorded forward pass: plain data, so that it can be handed to the compute workers. */
import type { Layout } from "../weights/layout.ts";
import type { Activation, ExpertsOptions, Matrix, NormOptions, RopeOptions, Vector } from "./graph.ts";

/** Which rows a value has: all rows of the step, those whose output was asked for, or one for each chosen expert of each row. */
export type RowSpace = "all" | "outputs" | "slots" | "outputSlots";

export interface ValueInfo {
  readonly width: number;
  readonly rows: RowSpace;
  /** Float32, or rows quantized for a kind of matrix. */
  readonly form: Layout["kind"];
  /** Each row is the sum of so many, which stand one after the other. Default 1. */
  readonly parts?: 1 | 2;
}

/** Operations that treat every row by itself. */
export type RowOp =
  | { readonly kind: "embed"; readonly table: Matrix; readonly out: number; readonly scale: number }
  | { readonly kind: "embed-position"; readonly x: number; readonly table: Matrix; readonly out: number }
  | {
      readonly kind: "embed-constant";
      readonly x: number;
      readonly table: Matrix;
      readonly row: number;
      readonly out: number;
    }
  | ({ readonly kind: "norm"; readonly x: number; readonly out: number } & NormSpec)
  /** Of an output with two parts the second is what rounding took from the first. */
  | { readonly kind: "quantize"; readonly form: "coded" | "super"; readonly x: number; readonly out: number }
  | { readonly kind: "add-parts"; readonly x: number; readonly out: number }
  | { readonly kind: "bias"; readonly x: number; readonly bias: Vector; readonly out: number }
  | { readonly kind: "add"; readonly a: number; readonly b: number; readonly out: number }
  | { readonly kind: "scale"; readonly x: number; readonly factor: number; readonly out: number }
  | { readonly kind: "soft-cap"; readonly x: number; readonly cap: number; readonly out: number }
  | {
      readonly kind: "gated";
      readonly gate: number;
      readonly up: number;
      readonly activation: Activation;
      readonly out: number;
    }
  | { readonly kind: "activate"; readonly x: number; readonly activation: Activation; readonly out: number }
  | { readonly kind: "mean-rows"; readonly x: number; readonly out: number }
  | { readonly kind: "take-outputs"; readonly x: number; readonly out: number }
  /** Written by the leader before the step. */
  | { readonly kind: "input"; readonly out: number }
  | { readonly kind: "join-rows"; readonly x: number; readonly count: number; readonly out: number }
  | { readonly kind: "average-rows"; readonly x: number; readonly count: number; readonly out: number }
  | { readonly kind: "gather"; readonly x: number; readonly columns: Vector; readonly out: number }
  | {
      readonly kind: "rotate-store";
      readonly q: number;
      readonly k: number;
      readonly v: number;
      readonly out: number;
      readonly attention: number;
    }
  | { readonly kind: "take-slots"; readonly x: number; readonly out: number }
  | { readonly kind: "mix-slots"; readonly x: number; readonly used: number; readonly out: number }
  | { readonly kind: "observe"; readonly x: number; readonly observation: number; readonly out: number }
  | {
      readonly kind: "observe-turn";
      readonly x: number;
      readonly before: number;
      readonly observation: number;
      readonly out: number;
    }
  | { readonly kind: "adapt"; readonly x: number; readonly parts: readonly AdaptPart[]; readonly out: number };

/** Those whose rows are made from rows of another space. */
export type CrossOp = Extract<
  RowOp,
  { kind: "take-outputs" | "take-slots" | "mix-slots" | "mean-rows" | "join-rows" | "average-rows" }
>;

export type NormSpec = Omit<NormOptions, "kind"> & { readonly norm: NormOptions["kind"] };

export interface MatmulOp {
  readonly kind: "matmul";
  readonly x: number;
  readonly weight: Matrix;
  readonly out: number;
  /** Only for steps in which a row uses this adapter. */
  readonly adapter?: number;
}

/** What an adapter adds to the product of a matrix: scale · factor · B (A x), the scale being the row's (LoRA, arXiv 2106.09685). */
export interface MatrixAdapter {
  /** Place among the loaded adapters. */
  readonly adapter: number;
  /** [k, rank] and [rank, n] */
  readonly a: Matrix;
  readonly b: Matrix;
  readonly factor: number;
}

export interface AdaptPart extends Omit<MatrixAdapter, "a"> {
  /** The value A x. */
  readonly low: number;
}

/** Attention over the cache; `q` is rotated already. */
export interface AttendOp {
  readonly kind: "attend";
  readonly q: number;
  readonly out: number;
  readonly attention: number;
}

/** Chooses experts for every row and sorts the (row, expert) pairs, the slots, by expert. One worker does it. */
export interface RouteOp {
  readonly kind: "route";
  readonly scores: number;
  readonly options: ExpertsOptions;
}

export type Op = RowOp | MatmulOp | AttendOp | RouteOp;

/** Attention of one layer, as the kernels need it. */
export interface AttentionInfo {
  readonly layer: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  readonly valueWidth: number;
  readonly scale: number;
  readonly window?: number;
  readonly softCap?: number;
  readonly bidirectional: boolean;
  readonly picturesBothWays?: boolean;
  readonly parts?: boolean;
  /** Index into `ropes`. */
  readonly rope?: number;
}

export interface Recording {
  readonly ops: readonly Op[];
  readonly values: readonly ValueInfo[];
  readonly attentions: readonly AttentionInfo[];
  readonly ropes: readonly RopeOptions[];
  readonly result: { readonly kind: "logits" | "hidden"; readonly value: number };
  /** Values that a step brings along. */
  readonly inputs: readonly number[];
  /** Experts that a row chooses; 0: none. */
  readonly expertsUsed: number;
  /** What is summed up of values that enter matrices; none in normal use. */
  readonly observations: readonly Observation[];
}

/**
 * The squares of each of `k` columns are summed, for each expert apart. Of a layer, `layer.<n>`: the cosines between what
 * goes in and what comes out of it.
 */
export interface Observation {
  readonly k: number;
  readonly experts: number;
  /** Names of the matrices that the value is multiplied with, or of the layer. */
  readonly matrices: readonly string[];
}
