import type { CodeFormat, Codec } from "./contract.ts";
import type { Grid } from "./grids.ts";
import { codeWords, spreadBits } from "./run.ts";
import { superCodec } from "./super.ts";

/**
 * One super-block of a grid type, taken apart: indices of points (32 of 8 weights, or 64 of 4), a byte of signs for every
 * 8 weights (bit k: weight k is negative), and the sub-scales (8 or 16).
 */
export interface GridBlock {
  readonly indices: Uint16Array;
  readonly signs: Uint8Array;
  readonly scales: Int8Array;
}

/** Reads the super-block that starts at the byte `at` and returns its d. */
export type ReadGridBlock = (source: Uint8Array, at: number, block: GridBlock) => number;

interface GridLayout {
  readonly blockBytes: number;
  readonly grid: () => Grid;
  /** Weights of a point. */
  readonly width: 8 | 4;
  readonly read: ReadGridBlock;
}

/** Codes of four bits: the level of the grid, and 8 for a negative weight. `values` are those of the levels. */
export function gridCodec(type: Codec["type"], format: Omit<CodeFormat, "bits" | "hasMin">, layout: GridLayout): Codec {
  const { blockBytes, width, read } = layout;
  const groups = 256 / format.group;
  const block = { indices: new Uint16Array(64), signs: new Uint8Array(32), scales: new Int8Array(16) };
  return superCodec(type, { ...format, bits: 4, hasMin: false }, (source, blocks, { codes, subScales, d }) => {
    const grid = layout.grid();
    const out = codeWords(codes);
    for (let index = 0; index < blocks; index++) {
      d[index] = read(source, index * blockBytes, block);
      for (let group = 0; group < groups; group++) subScales[index * groups + group] = block.scales[group]!;
      const codesOf = width === 8 ? writePointsOf8 : writePointsOf4;
      codesOf(block, grid, out, index * 64);
    }
  });
}

/** The table of a grid type: the values of the levels, then their negatives. */
export function signedLevels(positive: readonly number[], negative: readonly number[]): Int8Array {
  const table = new Int8Array(16);
  table.set(positive);
  table.set(negative, 8);
  return table;
}

/** Words whose bytes are 8 where the bit of a sign is set. */
const signWords: Int32Array = Int32Array.from({ length: 16 }, (_, bits) => spreadBits(bits) << 3);

function writePointsOf8({ indices, signs }: GridBlock, grid: Grid, out: Int32Array, to: number): void {
  for (let i = 0; i < 32; i++) {
    const point = indices[i]! * 2;
    const sign = signs[i]!;
    out[to + 2 * i] = grid[point]! | signWords[sign & 15]!;
    out[to + 2 * i + 1] = grid[point + 1]! | signWords[sign >> 4]!;
  }
}

function writePointsOf4({ indices, signs }: GridBlock, grid: Grid, out: Int32Array, to: number): void {
  for (let i = 0; i < 32; i++) {
    const sign = signs[i]!;
    out[to + 2 * i] = grid[indices[2 * i]!]! | signWords[sign & 15]!;
    out[to + 2 * i + 1] = grid[indices[2 * i + 1]!]! | signWords[sign >> 4]!;
  }
}

/** Signs of 8 weights from 7 bits: the eighth makes their number even. */
export const evenSigns: Uint8Array = Uint8Array.from({ length: 128 }, (_, bits) => {
  let odd = bits;
  for (const shift of [4, 2, 1]) odd ^= odd >> shift;
  return bits | ((odd & 1) << 7);
});
