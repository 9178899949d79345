/** What threads do for a calibration: pieces of steps, each with the rows or columns that it is about. */
import type { Activation, AttentionOptions } from "../../engines/flint/graph/graph.ts";
import type { Frequencies } from "../../engines/flint/graph/rope-table.ts";

/** Rows of a piece: `first` and as many as `count`. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

/** y = x · Wᵀ + bias. */
export interface LinearPiece extends Range {
  readonly kind: "linear";
  /** [rows][k] and [rows][n]. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly k: number;
  readonly n: number;
  /** Wᵀ: [k][n]. */
  readonly weights: Float32Array;
  readonly bias: Float32Array | undefined;
}

/** Rows of Xᵀ · X, from the diagonal on. */
export interface GramPiece extends Range {
  readonly kind: "gram";
  /** [rows][k] */
  readonly x: Float32Array;
  readonly k: number;
  /** Of each row of x, which is multiplied with it. */
  readonly factors: Float32Array;
  /** [k][k] */
  readonly gram: Float32Array;
}

export interface NormPiece extends Range {
  readonly kind: "norm";
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly width: number;
  /** Of a head, or the width. */
  readonly part: number;
  readonly norm: "rms" | "layer";
  readonly epsilon: number;
  readonly weight: Float32Array | undefined;
  readonly bias: Float32Array | undefined;
}

/** Elements, all alike: y = f(a, b). */
export interface EachPiece extends Range {
  readonly kind: "each";
  readonly apply:
    | { readonly kind: "add" }
    | { readonly kind: "scale"; readonly factor: number }
    | { readonly kind: "activate"; readonly activation: Activation }
    /** `narrow`: the gate has one element for the whole row, of this width. */
    | { readonly kind: "gated"; readonly activation: Activation; readonly narrow: number | undefined };
  readonly a: Float32Array;
  readonly b: Float32Array | undefined;
  readonly y: Float32Array;
}

/** One head of keys of one window, with the heads that share it. */
export interface AttentionPiece {
  readonly kind: "attention";
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly y: Float32Array;
  readonly options: AttentionOptions;
  readonly frequencies: Frequencies | undefined;
  readonly keyHead: number;
  /** Rows of the window. */
  readonly first: number;
  readonly tokens: number;
}

/** The grid onto which weights are rounded. */
export interface Grid {
  readonly bits: number;
  /** Columns that share a scale. */
  readonly group: number;
  /** Zero points lie in the middle. */
  readonly symmetric: boolean;
}

/** What rounding gives for a matrix: [n][k] codes, [n][groups] scales and zero points, and the weights that they mean. */
export interface Coded {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly zeros: Uint8Array;
  readonly rounded: Float32Array;
}

/** What GPTQ wants to know of the columns of a matrix. */
export interface Compensation {
  /** [k][k], upper: Uᵀ · U is the inverse of the damped Gram matrix, rows and columns in the order of `order`. */
  readonly factor: Float32Array;
  /** In which order the columns are rounded. */
  readonly order: Uint32Array;
  /** Groups follow the order; else they are neighbouring columns. */
  readonly ordered: boolean;
  /** Mean square of what enters each column. */
  readonly importance: Float32Array;
}

/** GPTQ of some rows; without `compensation` the nearest codes. */
export interface RoundPiece extends Range {
  readonly kind: "round";
  readonly weights: Float32Array;
  readonly k: number;
  readonly grid: Grid;
  readonly coded: Coded;
  readonly compensation: Compensation | undefined;
}

/** The factor of a Gram matrix, which the work destroys. */
export interface FactorPiece {
  readonly kind: "factor";
  readonly k: number;
  readonly gram: Float32Array;
  /** Of the mean of the diagonal. */
  readonly damp: number;
  /** Of rows and columns. */
  readonly order: Uint32Array;
  readonly factor: Float32Array;
}

/** How large the error of the output is when columns are scaled before they are rounded (AWQ), for each scaling. */
export interface TrialPiece extends Range {
  readonly kind: "trial";
  readonly weights: Float32Array;
  readonly k: number;
  readonly grid: Grid;
  readonly gram: Float32Array;
  /** [trials][k] */
  readonly scalings: Float32Array;
  /** [rows][trials] */
  readonly errors: Float64Array;
}

/** Limits for the weights of each group with which rounding errs least (AWQ): the weights are changed in place. */
export interface ClipPiece extends Range {
  readonly kind: "clip";
  readonly weights: Float32Array;
  readonly k: number;
  readonly grid: Grid;
  readonly gram: Float32Array;
}

export type Piece =
  | LinearPiece
  | GramPiece
  | NormPiece
  | EachPiece
  | AttentionPiece
  | RoundPiece
  | FactorPiece
  | TrialPiece
  | ClipPiece;

/** Pieces of at most `most`. */
export function cut(total: number, most: number): Range[] {
  return Array.from({ length: Math.ceil(total / most) }, (_, index) => ({
    first: index * most,
    count: Math.min(most, total - index * most),
  }));
}
