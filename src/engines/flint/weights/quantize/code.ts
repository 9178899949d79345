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
