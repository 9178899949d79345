import type { Codec } from "./contract.ts";
import { evenSigns, gridCodec, signedLevels } from "./grid-codec.ts";
import type { ReadGridBlock } from "./grid-codec.ts";
import { iq3SGrid, iq3XxsGrid } from "./grids.ts";
import { halves } from "../../../../util/half.ts";
import { readShort } from "./run.ts";

// Points of 4 weights with eight levels; a stored scale s of four bits means 2 s + 1.

/** f16 d; 64 bytes of indices; for each 32 weights a word of four 7-bit signs and the scale, which means (s + ½) / 2. */
const readIq3Xxs: ReadGridBlock = (source, at, { indices, signs, scales }) => {
  for (let i = 0; i < 64; i++) indices[i] = source[at + 2 + i]!;
  for (let group = 0, from = at + 66; group < 8; group++, from += 4) {
    const word = readShort(source, from) | (readShort(source, from + 2) << 16);
    for (let i = 0; i < 4; i++) signs[group * 4 + i] = evenSigns[(word >>> (7 * i)) & 127]!;
    scales[group] = 2 * (word >>> 28) + 1;
  }
  return halves[readShort(source, at)]! / 4;
};

/** f16 d; 64 low bytes of indices; 8 bytes of their ninth bits; 32 bytes of signs; 4 bytes of scales. */
const readIq3S: ReadGridBlock = (source, at, { indices, signs, scales }) => {
  for (let i = 0; i < 64; i++) {
    const high = (source[at + 66 + (i >> 3)]! >> (i & 7)) & 1;
    indices[i] = source[at + 2 + i]! | (high << 8);
  }
  for (let i = 0; i < 32; i++) signs[i] = source[at + 74 + i]!;
  for (let i = 0; i < 8; i++) scales[i] = 2 * ((source[at + 106 + (i >> 1)]! >> (4 * (i & 1))) & 15) + 1;
  return halves[readShort(source, at)]!;
};

function symmetric(levels: readonly number[]): Int8Array {
  return signedLevels(
    levels,
    levels.map((level) => -level),
  );
}

const xxs = symmetric([4, 12, 20, 28, 36, 44, 52, 62]);
const odd = symmetric([1, 3, 5, 7, 9, 11, 13, 15]);

export const iq3Codecs: readonly Codec[] = [
  gridCodec("IQ3_XXS", { group: 32, table: xxs }, { blockBytes: 98, grid: iq3XxsGrid, width: 4, read: readIq3Xxs }),
  gridCodec("IQ3_S", { group: 32, table: odd }, { blockBytes: 110, grid: iq3SGrid, width: 4, read: readIq3S }),
];
