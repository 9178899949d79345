/** How single instructions are written: operands first, then the operation. */
import type { Code } from "./code.ts";
import { unsigned } from "./leb.ts";

export type Unary = (a: Code) => Code;
export type Binary = (a: Code, b: Code) => Code;
export type Ternary = (a: Code, b: Code, c: Code) => Code;
/** Where in memory: an address and a constant offset from it. */
export type Load = (address: Code, offset?: number) => Code;
export type Store = (address: Code, value: Code, offset?: number) => Code;
/** Stores one lane of a vector. */
export type StoreLane = (address: Code, value: Code, lane: number, offset?: number) => Code;

export const unary =
  (...op: number[]): Unary =>
  (a) => [...a, ...op];
export const binary =
  (...op: number[]): Binary =>
  (a, b) => [...a, ...b, ...op];
export const ternary =
  (...op: number[]): Ternary =>
  (a, b, c) => [...a, ...b, ...c, ...op];

/** An instruction on vectors. */
export function simd(op: number): number[] {
  return [0xfd, ...unsigned(op)];
}

/** Alignment is given as 1 byte: it is a hint only, and rows may start anywhere. */
function at(offset: number): number[] {
  return [0x00, ...unsigned(offset)];
}

export const load =
  (...op: number[]): Load =>
  (address, offset = 0) => [...address, ...op, ...at(offset)];
export const store =
  (...op: number[]): Store =>
  (address, value, offset = 0) => [...address, ...value, ...op, ...at(offset)];
export const storeLane =
  (...op: number[]): StoreLane =>
  (address, value, lane, offset = 0) => [...address, ...value, ...op, ...at(offset), lane];
