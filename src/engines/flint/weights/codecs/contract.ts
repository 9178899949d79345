import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";

/**
 * How a quantized type says its weights: small integer codes, and a scale (and a min) for every group of them.
 *
 *     weight[i] = scale[⌊i / group⌋] · value(code[i]) − min[⌊i / group⌋]
 *
 * value(c) is `table[c]` where there is a table, c − `offset` where there is an offset, else c.
 */
export interface CodeFormat {
  /** Width that a packed layout needs for a code. Codes of 8 bits are signed (int8), all others are unsigned. */
  readonly bits: 4 | 5 | 6 | 8;
  /** Weights that share a scale and a min. */
  readonly group: 16 | 32;
  /** 16 entries: code → integer value. */
  readonly table?: Int8Array;
  /** The code of the value 0. */
  readonly offset?: number;
  readonly hasMin: boolean;
}

/**
 * Room for the decoded weights, made by the caller. `codes` has one byte a weight and starts at a multiple of four
 * bytes in its buffer; for codes of 8 bits its bytes are those of int8. `scales` and `mins` have one element a group.
 */
export interface Codes {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly mins?: Float32Array;
}

/**
 * The same for types with super-blocks of 256 weights, before the two levels of scales are multiplied:
 * scale = d · subScale and min = dmin · subMin. `subScales` and `subMins` have one element a group, `d` and `dmin`
 * one a super-block.
 */
export interface SuperCodes {
  readonly codes: Uint8Array;
  readonly subScales: Int8Array;
  readonly subMins?: Uint8Array;
  readonly d: Float32Array;
  readonly dmin?: Float32Array;
}

export interface Codec {
  readonly type: GgmlTypeName;
  readonly format: CodeFormat;
  /**
   * Decodes `weights` weights, whole blocks, from the start of `source`, which may stand anywhere in its buffer (at a
   * multiple of four bytes it is faster). RangeError: not whole blocks, or not enough bytes or room.
   */
  decode(source: Uint8Array, weights: number, into: Codes): void;
  /** 256 where a type has super-blocks; then it has `decodeSuper` too. */
  readonly superGroup?: 256;
  decodeSuper?(source: Uint8Array, weights: number, into: SuperCodes): void;
}
