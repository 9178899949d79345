import { floatToHalf, halves } from "../codecs/half.ts";

export type ClassicType = "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0";
export type KType = "Q4_K" | "Q5_K" | "Q6_K";

/** Encodes the block of weights that starts at `from` into the bytes, still zero, that start at `at`. */
export type EncodeBlock = (weights: Float32Array, from: number, out: Uint8Array, at: number) => void;

/** Writes the nearest f16, and returns the value that it really has: codes are chosen for that one. */
export function writeHalf(out: Uint8Array, at: number, value: number): number {
  const bits = floatToHalf(value);
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

/** The weight with the greatest magnitude, with its sign. */
export function furthest(weights: Float32Array, from: number, count: number): number {
  let extreme = 0;
  for (let i = from; i < from + count; i++) {
    if (Math.abs(weights[i]!) > Math.abs(extreme)) extreme = weights[i]!;
  }
  return extreme;
}
