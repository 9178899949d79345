/** What the operations of one pass share: the memory, where everything stands, and what was written so far. */
import type { Value } from "../../engines/flint/graph/graph.ts";
import type { Machine } from "./machine.ts";
import type { Multiply } from "./multiply.ts";
import type { Adapter, TrainedNorm } from "./parameters.ts";

export interface Scratch {
  /** [rows, rows] each: weights of attention, and what they get. */
  readonly weights: number;
  readonly weightGradients: number;
  /** Rotated queries and keys, and what they get. */
  readonly q: number;
  readonly k: number;
  readonly qGradient: number;
  readonly kGradient: number;
  /** [rows, rank]: what the narrow side of an adapter gets. */
  readonly narrow: number;
  /** As wide as the widest value. */
  readonly wide: number;
  /** [logitRows, vocabulary] */
  readonly logits: number;
  /** One row of the vocabulary. */
  readonly row: number;
}

export interface Pass {
  readonly machine: Machine;
  readonly multiply: Multiply;
  /** Tokens of the pass, fewer than there is room for at most. */
  readonly rows: number;
  readonly scratch: Scratch;
  /** Rows of logits that are in memory at once. */
  readonly logitRows: number;
  /** Addresses. */
  readonly valueOf: (value: Value) => number;
  readonly gradientOf: (value: Value) => number;
  readonly weightOf: (name: string) => number;
  /** Of operation i, where it has any. */
  readonly adapterOf: (operation: number) => PlacedAdapter | undefined;
  readonly normOf: (operation: number) => PlacedNorm;
  /** Whether a gradient is there already, to be added to; from now on it is. */
  readonly touch: (value: Value) => boolean;
}

export interface PlacedAdapter {
  readonly item: Adapter;
  readonly rank: number;
  readonly factor: number;
  readonly down: number;
  readonly up: number;
  readonly downGradient: number;
  readonly upGradient: number;
  /** [rows, rank]: what comes out of the narrow side, times the factor. */
  readonly inner: number;
}

export interface PlacedNorm {
  readonly item: TrainedNorm;
  readonly weight: number;
  readonly gradient: number;
}
