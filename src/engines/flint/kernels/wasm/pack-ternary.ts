/** Packing of the ternary types. `weights/codecs/ternary.ts` says how the files have them. */
import type { Code } from "./code.ts";
import { i16x8, i32, i8x16, v128 } from "./instructions.ts";
import { blockFormat } from "./pack-blocks.ts";
import type { PackFormats } from "./pack-format.ts";
import { pairHalves, plane } from "./pack-format.ts";

/** All groups share the scale of the file. */
const one = { subScales: (): Code => v128.const32(1), factor: 1 };

/** Digit `powers` of the fractions of 16 bytes: for each byte the power of 3 that brings it before the point. */
function digits(bytes: Code, powers: readonly number[]): Code {
  const half = (wide: Code, from: number): Code => {
    const factors = powers.slice(from, from + 8).flatMap((power) => [power, 0]);
    const fraction = v128.and(i16x8.mul(wide, v128.constBytes(factors)), v128.const16(255));
    return i16x8.shrU(i16x8.mul(fraction, v128.const16(3)), i32.const(8));
  };
  return i8x16.narrow16s(half(i16x8.extendLowU(bytes), 0), half(i16x8.extendHighU(bytes), 8));
}

const times = (power: number): number[] => Array.from({ length: 16 }, () => power);

/** 16 weights, from 16 · `run` on: ten runs of 32 bytes, five of 16, and one of four bytes with four digits. */
function ternaryRun(row: Code, run: number): Code {
  if (run < 10) return digits(v128.load(row, (run & 1) * 16), times(3 ** (run >> 1)));
  if (run < 15) return digits(v128.load(row, 32), times(3 ** (run - 10)));
  return digits(
    v128.load32splat(row, 48),
    times(0).map((_, index) => 3 ** (index >> 2)),
  );
}

export const ternaryFormats: PackFormats = [
  blockFormat("TQ1_0", {
    ...one,
    codes: (row, block) => pairHalves(ternaryRun(row, block * 2), ternaryRun(row, block * 2 + 1)),
    d: (row) => v128.load16splat(row, 52),
  }),
  blockFormat("TQ2_0", {
    ...one,
    codes: (row, block) => pairHalves(...plane(row, (block >> 2) * 32, { bits: 2, index: block & 3 })),
    d: (row) => v128.load16splat(row, 64),
  }),
];
