import type { CodeKind } from "../../kernels/wasm/quantize/codes.ts";
import type { RangeFit } from "../../kernels/wasm/quantize/fit-range.ts";
import type { ScaleFit } from "../../kernels/wasm/quantize/fit-scale.ts";
import type { Weighing } from "../../kernels/wasm/quantize/quad.ts";

/** The types that weights can be brought into by a search for scales. */
export type QuantizedType =
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "IQ4_NL"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ4_XS";

/** What is known of the groups of a run of blocks, in the memory of the kernels. One element a group, codes one a weight. */
export interface Groups {
  /** What the fit has found: scales, and mins or curvatures. */
  readonly scales: Float32Array;
  readonly seconds: Float32Array;
  /** How codes come of weights: see `chooseCodes`. */
  readonly inverses: Float32Array;
  readonly offsets: Float32Array;
  readonly codes: Uint8Array;
}

export type Fit = ({ readonly kind: "range" } & RangeFit) | ({ readonly kind: "scale" } & ScaleFit);

/** How a type is made: the kernels search, this brings what they find into the bytes of a block. */
export interface Recipe {
  readonly fit: (weighing: Weighing | undefined) => Fit;
  readonly codes: CodeKind;
  /** Rounds the scales of a block to what the format can say, writes them, and sets `inverses` and `offsets`. */
  readonly settle: (groups: Groups, first: number, out: Uint8Array, at: number) => void;
  /** Writes the codes, the first of which stands at `from`. */
  readonly pack: (codes: Uint8Array, from: number, out: Uint8Array, at: number) => void;
}
