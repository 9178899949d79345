import type { Codec } from "./contract.ts";
import { evenSigns, gridCodec, signedLevels } from "./grid-codec.ts";
import type { ReadGridBlock } from "./grid-codec.ts";
import { iq2SGrid, iq2XsGrid, iq2XxsGrid } from "./grids.ts";
import { halves } from "../../../../util/half.ts";
import { readShort } from "./run.ts";

// Points of 8 weights with the levels 8, 25 and 43. A stored scale s of four bits means d · (s + ½) / 4; as an integer
// sub-scale that is 2 s + 1, with d / 8.

/** f16 d; then for each 32 weights four bytes of indices and a word of four 7-bit signs and the scale. */
const readIq2Xxs: ReadGridBlock = (source, at, { indices, signs, scales }) => {
  for (let group = 0, from = at + 2; group < 8; group++, from += 8) {
    const word = readShort(source, from + 4) | (readShort(source, from + 6) << 16);
    for (let i = 0; i < 4; i++) {
      indices[group * 4 + i] = source[from + i]!;
      signs[group * 4 + i] = evenSigns[(word >>> (7 * i)) & 127]!;
    }
    scales[group] = 2 * (word >>> 28) + 1;
  }
  return halves[readShort(source, at)]! / 8;
};

/** f16 d; 32 words of a 9-bit index and a 7-bit sign; 8 bytes of scales, one for each 16 weights. */
const readIq2Xs: ReadGridBlock = (source, at, { indices, signs, scales }) => {
  for (let i = 0; i < 32; i++) {
    const both = readShort(source, at + 2 + 2 * i);
    indices[i] = both & 511;
    signs[i] = evenSigns[both >> 9]!;
  }
  readScales(source, at + 66, scales);
  return halves[readShort(source, at)]! / 8;
};

/** f16 d; 32 low bytes of indices; 32 bytes of signs; 8 bytes of two high bits of indices; 8 bytes of scales. */
const readIq2S: ReadGridBlock = (source, at, { indices, signs, scales }) => {
  for (let i = 0; i < 32; i++) {
    const high = (source[at + 66 + (i >> 2)]! >> (2 * (i & 3))) & 3;
    indices[i] = source[at + 2 + i]! | (high << 8);
    signs[i] = source[at + 34 + i]!;
  }
  readScales(source, at + 74, scales);
  return halves[readShort(source, at)]! / 8;
};

function readScales(source: Uint8Array, at: number, scales: Int8Array): void {
  for (let i = 0; i < 8; i++) {
    const both = source[at + i]!;
    scales[2 * i] = 2 * (both & 15) + 1;
    scales[2 * i + 1] = 2 * (both >> 4) + 1;
  }
}

const table = signedLevels([8, 25, 43], [-8, -25, -43]);

export const iq2Codecs: readonly Codec[] = [
  gridCodec("IQ2_XXS", { group: 32, table }, { blockBytes: 66, grid: iq2XxsGrid, width: 8, read: readIq2Xxs }),
  gridCodec("IQ2_XS", { group: 16, table }, { blockBytes: 74, grid: iq2XsGrid, width: 8, read: readIq2Xs }),
  gridCodec("IQ2_S", { group: 16, table }, { blockBytes: 82, grid: iq2SGrid, width: 8, read: readIq2S }),
];
