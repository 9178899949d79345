import { floatToHalf, halves } from "../../../../util/half.ts";

/** Writes the nearest f16, and returns the value that it really has: codes are chosen for that one. RangeError: too large. */
export function writeHalf(out: Uint8Array, at: number, value: number): number {
  const bits = floatToHalf(value);
  if ((bits & 0x7c00) === 0x7c00) throw new RangeError(`needs a scale of ${value}, which no f16 can hold`);
  out[at] = bits & 255;
  out[at + 1] = bits >> 8;
  return halves[bits]!;
}

/** The nearest code from 0 to `last`. */
export function nearestCode(value: number, last: number): number {
  return Math.max(0, Math.min(last, Math.floor(value + 0.5)));
}

/** 1 / scale, or 0 for a scale of 0: then every code means the same. */
export function inverseOf(scale: number): number {
  return scale === 0 ? 0 : 1 / scale;
}

/** The low bit, the low two and the low four of every byte of a word. */
export const ones = 0x01010101;
export const threes = 0x03030303;
export const nibbles = 0x0f0f0f0f;

/** Four bytes, the low one first. */
export function writeWord(out: DataView, at: number, word: number): void {
  out.setInt32(at, word, true);
}
