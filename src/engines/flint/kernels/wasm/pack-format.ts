/** What packing a type is made of. */
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { Code, Local, Scope } from "./code.ts";
import { sequence } from "./code.ts";
import type { Constants } from "./constants.ts";
import { i32, i32x4, v128 } from "./instructions.ts";
import { wordTransposer } from "./pack-transpose.ts";

export interface PackStep {
  readonly scope: Scope;
  readonly constants: Constants;
  /** Addresses of eight rows, where this step's weights begin. */
  readonly rows: readonly Local[];
  readonly target: Local;
  /** Address of the format's table. */
  readonly table: Local;
}

export interface PackFormat {
  /** Weights of a row that a step takes; rows are multiples of it. */
  readonly weights: number;
  /** Bytes that a step writes. */
  readonly targetBytes: number;
  readonly write: (step: PackStep) => Code;
  readonly table?: () => Uint8Array;
}

export type PackFormats = readonly (readonly [GgmlTypeName, PackFormat])[];

/** Four words of a row. Word q goes to vector q; upper bits are put together, those of two words in one vector. */
export interface CodePart {
  /** Of the first vector, from the step's target. */
  readonly offset: number;
  readonly upper?: boolean;
  readonly codes: (row: Code) => Code;
}

/** Bytes from vector to vector: a word of each of eight rows. */
const vectorBytes = 32;

/** Brings the codes of all rows to their places. */
export function writeParts({ scope, rows, target }: PackStep, parts: readonly CodePart[]): Code {
  const transpose = wordTransposer(scope);
  const write = ({ offset, upper, codes }: CodePart, half: number): Code => {
    const { load, columns } = transpose(rows.slice(half * 4, half * 4 + 4).map((row) => codes(row.get)));
    const vectors = upper ? joinUpper(columns) : columns;
    return sequence(
      load,
      ...vectors.map((vector, q) => v128.store(target.get, vector, offset + q * vectorBytes + half * 16)),
    );
  };
  return sequence(...parts.flatMap((part) => [write(part, 0), write(part, 1)]));
}

function joinUpper([a = [], b = [], c = [], d = []]: readonly Code[]): Code[] {
  const join = (low: Code, high: Code): Code => v128.or(low, i32x4.shl(high, i32.const(4)));
  return [join(a, b), join(c, d)];
}

/** For each row what `write` says; it gets the row's address and where 16-bit numbers of its lane stand. */
export function eachRow({ rows }: PackStep, write: (row: Code, lane: number) => Code): Code {
  return sequence(...rows.map((row, index) => write(row.get, index * 2)));
}

export function copyShort(target: Code, row: Code, { from, to }: { readonly from: number; readonly to: number }): Code {
  return i32.store16(target, i32.load16u(row, from), to);
}

/** Lower and upper halves of bytes, each as a byte. */
export const lowHalves = (vector: Code): Code => v128.and(vector, v128.const8(0x0f));
export const highHalves = (vector: Code): Code => lowHalves(i32x4.shrU(vector, i32.const(4)));
/** Two vectors of small numbers as halves of bytes. */
export const pairHalves = (low: Code, high: Code): Code => v128.or(low, i32x4.shl(high, i32.const(4)));

/** Bits of the planes of a run of 32 bytes: `bits` at a time, those of `plane`, of weights i and 16 + i. */
export function plane(
  row: Code,
  from: number,
  { bits, index }: { readonly bits: 1 | 2; readonly index: number },
): [Code, Code] {
  const pick = (at: number): Code =>
    v128.and(i32x4.shrU(v128.load(row, at), i32.const(index * bits)), v128.const8(2 ** bits - 1));
  return [pick(from), pick(from + 16)];
}
