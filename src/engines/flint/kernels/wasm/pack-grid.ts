/** Packing of the IQ types. `weights/codecs/iq1.ts` to `iq4.ts` say how the files have them. */
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import { evenSigns } from "../../weights/codecs/grid-codec.ts";
import type { Grid } from "../../weights/codecs/grids.ts";
import { iq1Grid, iq2SGrid, iq2XsGrid, iq2XxsGrid, iq3SGrid, iq3XxsGrid } from "../../weights/codecs/grids.ts";
import { spreadBits } from "../../weights/codecs/run.ts";
import type { Code } from "./code.ts";
import { i16x8, i32, i32x4, i8x16, v128 } from "./instructions.ts";
import { blockFormat, recodingOf, shortLanes, unpackLanes } from "./pack-blocks.ts";
import type { BlockType } from "./pack-blocks.ts";
import type { PackFormat, PackFormats } from "./pack-format.ts";
import { pairHalves } from "./pack-format.ts";
import { joinLow, oddWords } from "./pack-transpose.ts";

interface GridType extends Omit<BlockType, "codes" | "table"> {
  readonly grid: () => Grid;
  /** Weights of a point. */
  readonly width: 8 | 4;
  /** Index of a point in the grid. */
  readonly index: (row: Code, point: number) => Code;
  /** Signs of eight weights: a number of eight bits, or with `even` of seven, as `evenSigns` completes it. */
  readonly signs: (row: Code, eight: number) => Code;
  readonly even?: boolean;
}

/** After the points of the grid a table of signs: eight bytes for each number. */
function gridFormat(type: GgmlTypeName, source: GridType): readonly [GgmlTypeName, PackFormat] {
  const { grid, width, index, signs, even = false } = source;
  const recoding = recodingOf(type);
  const sixteen = (row: Code, eight: number, table: Code): Code => {
    const point = (number: number): Code => i32.add(table, i32.shl(index(row, number), i32.const(Math.log2(width))));
    const sign = (number: number): Code =>
      v128.load64zero(i32.add(table, i32.shl(signs(row, number), i32.const(3))), grid().byteLength);
    const codes = v128.or(levels(width, point, eight), joinLow(sign(eight), sign(eight + 1)));
    return recoding ? i8x16.swizzle(v128.constBytes(recoding.codes), codes) : codes;
  };
  return blockFormat(type, {
    ...source,
    codes: (row, block, table) => pairHalves(sixteen(row, block * 4, table), sixteen(row, block * 4 + 2, table)),
    table: () => writeTable(grid(), even),
  });
}

/** Levels of 16 weights, the first of them those of signs `eight`. */
function levels(width: 8 | 4, point: (number: number) => Code, eight: number): Code {
  if (width === 8) return joinLow(v128.load64zero(point(eight)), v128.load64zero(point(eight + 1)));
  const pair = (number: number): Code =>
    i8x16.shuffle(v128.load32zero(point(number)), v128.load32zero(point(number + 1)), lowPair);
  return joinLow(pair(eight * 2), pair(eight * 2 + 2));
}

const lowPair = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];

function writeTable(grid: Grid, even: boolean): Uint8Array {
  const signs = even ? [...evenSigns] : Array.from({ length: 256 }, (_, bits) => bits);
  const words = signs.flatMap((bits) => [spreadBits(bits) << 3, spreadBits(bits >> 4) << 3]);
  return new Uint8Array(Int32Array.of(...grid, ...words).buffer);
}

const halfAt =
  (at: number): ((row: Code) => Code) =>
  (row) =>
    v128.load16splat(row, at);

const byte = (row: Code, at: number): Code => i32.load8u(row, at);
const bits = (value: Code, from: number, count: number): Code =>
  i32.and(i32.shrU(value, i32.const(from)), i32.const(2 ** count - 1));
const withHigh = (low: Code, high: Code): Code => i32.or(low, i32.shl(high, i32.const(8)));
/** 2 s + 1. */
const odd = (scales: Code): Code => v128.or(i32x4.shl(scales, i32.const(1)), v128.const32(1));
const topBits = (words: Code): Code => i32x4.shrU(words, i32.const(28));
const halves = (row: Code, at: number): Code => unpackLanes(shortLanes(row, at), 4);
/** Signs of the point: all the same. */
const all = (bit: Code): Code => i32.sub(i32.const(0), bit);

/** Every seven bits of the word at `at`, from the lowest up: the signs of eight weights. */
const sevenBits = (row: Code, at: number, index: number): Code => bits(i32.load(row, at), 7 * index, 7);

const iq2: Pick<GridType, "width" | "factor"> = { width: 8, factor: 1 / 8 };

export const gridFormats: PackFormats = [
  gridFormat("IQ2_XXS", {
    ...iq2,
    grid: iq2XxsGrid,
    even: true,
    index: (row, point) => byte(row, 2 + (point >> 2) * 8 + (point & 3)),
    signs: (row, eight) => sevenBits(row, 6 + (eight >> 2) * 8, eight & 3),
    subScales: (row, quad) => odd(topBits(oddWords(v128.load(row, 2 + quad * 32), v128.load(row, 18 + quad * 32)))),
    d: halfAt(0),
  }),
  gridFormat("IQ2_XS", {
    ...iq2,
    grid: iq2XsGrid,
    even: true,
    index: (row, point) => bits(i32.load16u(row, 2 + point * 2), 0, 9),
    signs: (row, eight) => bits(i32.load16u(row, 2 + eight * 2), 9, 7),
    subScales: (row, quad) => odd(halves(row, 66 + quad * 2)),
    d: halfAt(0),
  }),
  gridFormat("IQ2_S", {
    ...iq2,
    grid: iq2SGrid,
    index: (row, point) => withHigh(byte(row, 2 + point), bits(byte(row, 66 + (point >> 2)), 2 * (point & 3), 2)),
    signs: (row, eight) => byte(row, 34 + eight),
    subScales: (row, quad) => odd(halves(row, 74 + quad * 2)),
    d: halfAt(0),
  }),
  gridFormat("IQ3_XXS", {
    grid: iq3XxsGrid,
    width: 4,
    even: true,
    index: (row, point) => byte(row, 2 + point),
    signs: (row, eight) => sevenBits(row, 66 + (eight >> 2) * 4, eight & 3),
    subScales: (row, quad) => odd(topBits(v128.load(row, 66 + quad * 16))),
    d: halfAt(0),
    factor: 1 / 4,
  }),
  gridFormat("IQ3_S", {
    grid: iq3SGrid,
    width: 4,
    index: (row, point) => withHigh(byte(row, 2 + point), bits(byte(row, 66 + (point >> 3)), point & 7, 1)),
    signs: (row, eight) => byte(row, 74 + eight),
    subScales: (row, quad) => odd(halves(row, 106 + quad * 2)),
    d: halfAt(0),
    factor: 1,
  }),
  gridFormat("IQ1_S", {
    ...iq2,
    grid: iq1Grid,
    index: (row, point) =>
      withHigh(byte(row, 2 + point), bits(i32.load16u(row, 34 + (point >> 2) * 2), 3 * (point & 3), 3)),
    signs: (row, eight) => bits(all(bits(i32.load16u(row, 34 + (eight >> 2) * 2), 15, 1)), 0, 8),
    subScales: (row, quad) =>
      odd(v128.and(i32x4.shrU(v128.load16x4u(row, 34 + quad * 8), i32.const(12)), v128.const32(7))),
    d: halfAt(0),
  }),
  gridFormat("IQ1_M", {
    ...iq2,
    grid: iq1Grid,
    index: (row, point) => withHigh(byte(row, point), bits(byte(row, 32 + (point >> 1)), 4 * (point & 1), 3)),
    signs: (row, eight) => bits(all(bits(byte(row, 32 + (eight >> 1)), 4 * (eight & 1) + 3, 1)), 0, 8),
    subScales: (row, quad) => odd(unpackLanes(shortLanes(row, 48 + quad * 2), 3)),
    d: (row) => i16x8.splat(topHalves(row)),
  }),
  blockFormat("IQ4_XS", {
    codes: (row, block) => v128.load(row, 8 + block * 16),
    subScales: (row, quad) => {
      const high = unpackLanes(i32x4.splat(i32.load8u(row, 2 + quad)), 2);
      return i32x4.sub(v128.or(halves(row, 4 + quad * 2), i32x4.shl(high, i32.const(4))), v128.const32(32));
    },
    d: halfAt(0),
    factor: 1,
  }),
];

/** The top four bits of four words as one number. */
function topHalves(row: Code): Code {
  const parts = [0, 1, 2, 3].map((index) =>
    i32.shl(bits(i32.load16u(row, 48 + index * 2), 12, 4), i32.const(4 * index)),
  );
  return parts.reduce((sum, part) => i32.or(sum, part));
}
