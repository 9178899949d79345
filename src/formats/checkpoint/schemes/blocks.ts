/** Rows of integer codes as blocks of ggml; the codes stay what they are. */
import { floatToHalf } from "../../../util/half.ts";

/** One row, its columns in the order in which they are written. */
export interface CodedRow {
  /** One byte each, from 0 up. */
  readonly codes: Uint8Array;
  /** Group of each column. */
  readonly groupOf: Uint32Array;
  /** Of the groups of this row. */
  readonly scales: Float32Array;
  readonly zeros: Int16Array;
}

/** Fills `target`, which has exactly the size of the row. A block of 32 columns must share a group, but in F16. */
export type WriteRow = (row: CodedRow, target: Uint16Array) => void;

export type CodedType = "Q4_0" | "Q4_1" | "Q8_0" | "F16";

export const rowWriters: Readonly<Record<CodedType, WriteRow>> = {
  /** An f16 scale, then code j in the low and code j + 16 in the high half of byte j; the code of 0 is 8. */
  Q4_0({ codes, groupOf, scales, zeros }, target) {
    const pairs = pairsOf(codes);
    for (let block = 0, at = 0; at < target.length; block++, at += 9) {
      const group = groupOf[block * 32]!;
      target[at] = floatToHalf(scales[group]!);
      // Codes of fewer than four bits, and zero points other than 8: all sums are from 0 to 15.
      writeNibbles(target, { pairs, at: at + 1, from: block * 16, add: (8 - zeros[group]!) * 0x101 });
    }
  },
  /** As Q4_0, with an f16 after the scale that is added: -scale · zero, rounded. */
  Q4_1({ codes, groupOf, scales, zeros }, target) {
    const pairs = pairsOf(codes);
    for (let block = 0, at = 0; at < target.length; block++, at += 10) {
      const group = groupOf[block * 32]!;
      target[at] = floatToHalf(scales[group]!);
      target[at + 1] = floatToHalf(-scales[group]! * zeros[group]!);
      writeNibbles(target, { pairs, at: at + 2, from: block * 16, add: 0 });
    }
  },
  /** An f16 scale and 32 signed bytes. */
  Q8_0({ codes, groupOf, scales, zeros }, target) {
    const pairs = pairsOf(codes);
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    for (let block = 0, at = 0; at < target.length; block++, at += 17) {
      const group = groupOf[block * 32]!;
      const zero = zeros[group]!;
      target[at] = floatToHalf(scales[group]!);
      if (zero === 128) for (let i = 0; i < 16; i++) target[at + 1 + i] = pairs[block * 16 + i]! ^ 0x8080;
      else for (let i = 0; i < 32; i++) bytes[at * 2 + 2 + i] = codes[block * 32 + i]! - zero;
    }
  },
  F16({ codes, groupOf, scales, zeros }, target) {
    for (let i = 0; i < target.length; i++) {
      const group = groupOf[i]!;
      target[i] = floatToHalf(scales[group]! * (codes[i]! - zeros[group]!));
    }
  },
};

function pairsOf(codes: Uint8Array): Uint16Array {
  return new Uint16Array(codes.buffer, codes.byteOffset, codes.length / 2);
}

interface Nibbles {
  /** Codes, two in a word. */
  readonly pairs: Uint16Array;
  readonly at: number;
  readonly from: number;
  readonly add: number;
}

function writeNibbles(target: Uint16Array, { pairs, at, from, add }: Nibbles): void {
  for (let i = 0; i < 8; i++) target[at + i] = (pairs[from + i]! + add) | ((pairs[from + 8 + i]! + add) << 4);
}
