import type { RangeAdjust, ScaleAdjust } from "../../kernels/wasm/quantize/adjust.ts";
import type { CodeKind } from "../../kernels/wasm/quantize/codes.ts";
import type { RangeFit } from "../../kernels/wasm/quantize/fit-range.ts";
import type { ScaleFit } from "../../kernels/wasm/quantize/fit-scale.ts";
import type { Weighing } from "../../kernels/wasm/quantize/quad.ts";

/** The types that weights can be brought into by a search for scales. */
export const quantizedTypes = [
  "Q8_0",
  "Q6_K",
  "Q5_K",
  "Q5_1",
  "Q5_0",
  "Q4_K",
  "Q4_1",
  "Q4_0",
  "IQ4_NL",
  "IQ4_XS",
  "Q3_K",
  "Q2_K",
] as const;
export type QuantizedType = (typeof quantizedTypes)[number];

/** What is known of the groups of a run of blocks, in the memory of the kernels. One element a group, codes one a weight. */
export interface Groups {
  /** What the fit has found: scales, and mins where there are some. After `settle` of a K type: multiples of `inverses` and `offsets`. */
  readonly scales: Float32Array;
  readonly seconds: Float32Array;
  /** How codes come of weights: see `chooseCodes`. Between `settle` and `write` of a K type: what the multiples are of. */
  readonly inverses: Float32Array;
  readonly offsets: Float32Array;
  /** Four in a word. */
  readonly codes: Int32Array;
}

export type Fit = ({ readonly kind: "range" } & RangeFit) | ({ readonly kind: "scale" } & ScaleFit);

export type Adjust = ({ readonly kind: "range" } & RangeAdjust) | ({ readonly kind: "scale" } & ScaleAdjust);

/** A block at work: its first group, and where its bytes go. */
export interface Block {
  readonly first: number;
  readonly out: Uint8Array;
  readonly at: number;
}

/** How a type is made: the kernels search, this brings what they find into the bytes of a block. */
export interface Recipe {
  readonly fit: (weighing: Weighing | undefined) => Fit;
  readonly codes: CodeKind;
  /** Rounds the scales of a block to multiples of what they have in common, which it writes; their neighbours are tried next. */
  readonly settle?: (groups: Groups, block: Block) => void;
  readonly adjust?: (weighing: Weighing | undefined) => Adjust;
  /** Writes the scales of a block, and sets `inverses` and `offsets`. */
  readonly write: (groups: Groups, block: Block) => void;
  /** Writes the codes: they come four in a word, the first of them in the word `from`. */
  readonly pack: (codes: Int32Array, from: number, out: DataView, at: number) => void;
}
