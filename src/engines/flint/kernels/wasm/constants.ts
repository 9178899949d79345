/**
 * Constants that kernels load once into a variable: the compiler would write three instructions for every use of a
 * `v128.const`. They stand at a fixed place of every memory.
 */
import type { Code } from "./code.ts";
import { i32, v128 } from "./instructions.ts";

const address = 64;

/** 32-bit patterns by name; the order is their place in memory. */
const patterns = {
  nibble: 0x0f0f0f0f,
  /** The upper two bits of a six-bit code. */
  crumb: 0x30303030,
  /** Pairs of 16 bits. */
  ones: 0x00010001,
  sixteens: 0x00100010,
  /** f16 moved up by 13 bits, its sign spread: what to keep, and what to multiply with. */
  halfSign: 0x8fffffff,
  halfScale: 0x77800000,
} as const;

export type ConstantName = keyof typeof patterns;

const names = Object.keys(patterns) as ConstantName[];

/** First byte of a memory that is free for other things. */
export const constantsEnd = 1024;

/** A vector with the constant in all four lanes. */
export function constant(name: ConstantName): Code {
  return v128.load32splat(i32.const(address), names.indexOf(name) * 4);
}

export function writeConstants(memory: WebAssembly.Memory): void {
  const words = new Uint32Array(memory.buffer, address, names.length);
  names.forEach((name, index) => {
    words[index] = patterns[name] >>> 0;
  });
}
