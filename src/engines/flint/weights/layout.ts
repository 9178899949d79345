/**
 * The packed layouts that matrices have in memory. Eight output rows stand together, so that one vector load feeds all
 * of them; along k there are blocks of 32 weights. A block of a coded layout is one record:
 *
 * - codes, 4 vectors of 32 bytes (8 vectors for 8 bits): byte 4·row + i of vector q holds in its low nibble the code of
 *   k = 4q + i and in its high nibble that of k = 16 + 4q + i; with 8 bits vector q holds whole codes of k = 4q + i;
 * - with 6 bits 2 more vectors: the upper two bits of the codes, those of the low nibbles of vector 2v and its high
 *   ones, then those of vector 2v + 1, from the lowest bits up;
 * - scales: f16 of each row, for each group of weights; then the minima in the same way, where there are any.
 *
 * weight = scale · (value(code) - offset) - minimum, value(code) being the code itself or what the table gives.
 */

export interface CodedLayout {
  readonly kind: "coded";
  readonly bits: 4 | 6 | 8;
  /** Weights that share a scale. */
  readonly group: 16 | 32;
  readonly offset: number;
  readonly hasMin: boolean;
  /** 16 values that stand for the codes, each 0 to 127, or two tables of nibbles where values need 8 bits. */
  readonly table?: readonly number[];
  /** How a code is read that is not its own value: see `recode.ts`. */
  readonly planes?: "grid2";
}

/** Elements [k][8 rows] as they are. */
/**
 * Two levels of scales, as the k-quants have them: a record holds 256 weights of 8 rows. f16 scales of the scales of each
 * row, and of its minima; for each two groups 16 bytes, two small integers of each row, their scales; the same for the
 * minima; then the codes of 8 blocks as above.
 *
 * weight = d · scale · (code - offset) - dmin · minimum
 */
export interface SuperLayout {
  readonly kind: "super";
  readonly bits: 4 | 6;
  readonly group: 16 | 32;
  /** 0 or a power of two. */
  readonly offset: number;
  readonly hasMin: boolean;
}

export interface FloatLayout {
  readonly kind: "float";
  readonly type: "f16" | "bf16" | "f32";
}

export type Layout = CodedLayout | SuperLayout | FloatLayout;

/** Output rows that stand together. */
export const rowGroup = 8;
/** Weights of a block along k. */
export const blockWidth = 32;

/** Bytes of one record: a block of 32 weights of 8 rows. */
export function recordBytes(layout: CodedLayout): number {
  const codes = (layout.bits * blockWidth * rowGroup) / 8;
  const scales = (blockWidth / layout.group) * rowGroup * 2;
  return codes + scales * (layout.hasMin ? 2 : 1);
}

/** Weights along k of a record of the super layout. */
export const superWidth = 256;

/** Where the parts of a record of the super layout begin, and its bytes. */
export interface SuperRecord {
  readonly codes: number;
  readonly blockBytes: number;
  readonly scales: number;
  readonly mins: number;
  readonly d: number;
  readonly dmin: number;
  readonly bytes: number;
}

export function superRecord({ bits, group, hasMin }: SuperLayout): SuperRecord {
  const blockBytes = (bits * blockWidth * rowGroup) / 8;
  const small = (superWidth / group) * rowGroup;
  // Scales first: a record is then read in order, as the memory delivers it.
  const dmin = rowGroup * 2;
  const scales = dmin + (hasMin ? rowGroup * 2 : 0);
  const mins = scales + small;
  const codes = mins + (hasMin ? small : 0);
  return { blockBytes, d: 0, dmin, scales, mins, codes, bytes: codes + (superWidth / blockWidth) * blockBytes };
}

/** Bytes of one row group, `k` weights long. */
export function rowGroupBytes(layout: Layout, k: number): number {
  switch (layout.kind) {
    case "float":
      return k * rowGroup * (layout.type === "f32" ? 4 : 2);
    case "super":
      return (k / superWidth) * superRecord(layout).bytes;
    case "coded":
      return (k / blockWidth) * recordBytes(layout);
  }
}

/** Bytes of a matrix [n][k]; rows are filled up to whole groups. */
export function matrixBytes(layout: Layout, { k, n }: { readonly k: number; readonly n: number }): number {
  return Math.ceil(n / rowGroup) * rowGroupBytes(layout, k);
}

export function layoutKey(layout: Layout): string {
  if (layout.kind === "float") return layout.type;
  const { bits, group, offset, hasMin } = layout;
  if (layout.kind === "super") return `s${bits}g${group}o${offset}${hasMin ? "m" : ""}`;
  const { table, planes = "" } = layout;
  return `q${bits}g${group}o${offset}${hasMin ? "m" : ""}${planes}${table ? `t${table.join("_")}` : ""}`;
}

/** Bytes from row to row of float32 activations: matrices write whole groups of rows. */
export function floatRowBytes(k: number): number {
  return Math.ceil(k / rowGroup) * rowGroup * 4;
}

/**
 * How a row of activations stands for a coded matrix: k int8 codes, then for each block of 32 a record of 20 bytes:
 * scale (f32), twice -4 · sum of the codes (i16), scale · sum (f32), scale · sum of the first and of the last 16 (f32).
 */
export const activationRecord = { bytes: 20, scale: 0, start: 4, sum: 8, firstHalf: 12, lastHalf: 16 } as const;

/** Bytes of a quantized row, a multiple of 16. */
export function activationBytes(k: number): number {
  return Math.ceil((k + (k / blockWidth) * activationRecord.bytes) / 16) * 16;
}

/**
 * How a row of activations stands for a matrix of the super layout: k int8 codes, then for each 256 of them a record:
 * scale (f32), the sums of the codes of each 32 (8 × i16) and of each 16 (16 × i16).
 */
export const superActivation = { bytes: 64, scale: 0, sums32: 16, sums16: 32 } as const;

/** Bytes of a row quantized for the super layout, a multiple of 16. */
export function superActivationBytes(k: number): number {
  return k + (k / superWidth) * superActivation.bytes;
}
