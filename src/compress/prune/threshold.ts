/** The magnitude below which a part of a matrix lies, without keeping the matrix. */
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import { forEachPiece, readMagnitudes, readWords } from "./rows.ts";

export interface Threshold {
  /** All magnitudes below it are chosen, */
  readonly value: number;
  /** and those that equal it in front of this place, counted over the whole matrix. */
  readonly end: number;
}

/** Counts the bits of float32, which are in the order of the magnitudes: first the upper 16, then the lower ones. */
export function findThreshold(rows: MatrixRows, part: number): Threshold {
  const wanted = Math.round(rows.n * rows.k * part);
  const high = countBits(rows, (bits) => bits >>> 16);
  const upper = placeOf(high, wanted);
  const low = countBits(rows, (bits) => (bits >>> 16 === upper.bin ? bits & 0xffff : -1));
  const lower = placeOf(low, wanted - upper.before);
  const bits = ((upper.bin << 16) | lower.bin) >>> 0;
  const value = new Float32Array(Uint32Array.of(bits).buffer)[0]!;
  return { value, end: endOf(rows, bits, wanted - upper.before - lower.before) };
}

/** How many weights have which number of 16 bits; -1: it does not count. */
function countBits(rows: MatrixRows, binOf: (bits: number) => number): Float64Array {
  const counts = new Float64Array(65_536);
  forEachBits(rows, (bits) => {
    const bin = binOf(bits);
    if (bin >= 0) counts[bin]!++;
  });
  return counts;
}

function forEachBits(rows: MatrixRows, run: (bits: number, index: number) => void): void {
  forEachPiece(rows, (first, count) => {
    const magnitudes = new Float32Array(count * rows.k);
    readMagnitudes(readWords(rows, first, count), rows.type, magnitudes);
    const bits = new Uint32Array(magnitudes.buffer);
    for (let i = 0; i < bits.length; i++) run(bits[i]!, first * rows.k + i);
  });
}

/** The bin with which the sum of the counts reaches `wanted`. */
function placeOf(counts: Float64Array, wanted: number): { readonly bin: number; readonly before: number } {
  let before = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    if (before + counts[bin]! >= wanted) return { bin, before };
    before += counts[bin]!;
  }
  return { bin: counts.length - 1, before };
}

/** The place behind the `count`-th weight of these bits. */
function endOf(rows: MatrixRows, wanted: number, count: number): number {
  let end = 0;
  let left = count;
  forEachBits(rows, (bits, index) => {
    if (bits !== wanted || left <= 0) return;
    left--;
    end = index + 1;
  });
  return end;
}
