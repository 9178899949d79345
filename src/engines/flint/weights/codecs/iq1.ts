import type { Codec } from "./contract.ts";
import { gridCodec, signedLevels } from "./grid-codec.ts";
import type { ReadGridBlock } from "./grid-codec.ts";
import { iq1Grid } from "./grids.ts";
import { halves } from "../../../../util/half.ts";
import { readShort } from "./run.ts";

// Points of 8 weights q in -1, 0, 1, of which all eight are shifted by +⅛ or −⅛. In eighths that is 8 q ± 1, an integer.
// A stored scale s of three bits means 2 s + 1.

/** f16 d; 32 low bytes of indices; for each 32 weights a word: four times three high bits, the scale, the shift's sign. */
const readIq1S: ReadGridBlock = (source, at, { indices, signs, scales }) => {
  for (let group = 0; group < 8; group++) {
    const word = readShort(source, at + 34 + 2 * group);
    for (let i = 0; i < 4; i++) {
      indices[group * 4 + i] = source[at + 2 + group * 4 + i]! | (((word >> (3 * i)) & 7) << 8);
      signs[group * 4 + i] = word & 0x8000 ? 255 : 0;
    }
    scales[group] = 2 * ((word >> 12) & 7) + 1;
  }
  return halves[readShort(source, at)]! / 8;
};

/**
 * 32 low bytes of indices; 16 bytes of halves with three high bits and the shift's sign of a point each; four words with
 * four scales of 16 weights each, whose top four bits together are the f16 d.
 */
const readIq1M: ReadGridBlock = (source, at, { indices, signs, scales }) => {
  for (let i = 0; i < 32; i++) {
    const half = source[at + 32 + (i >> 1)]! >> (4 * (i & 1));
    indices[i] = source[at + i]! | ((half & 7) << 8);
    signs[i] = half & 8 ? 255 : 0;
  }
  let d = 0;
  for (let i = 0; i < 4; i++) {
    const word = readShort(source, at + 48 + 2 * i);
    for (let k = 0; k < 4; k++) scales[4 * i + k] = 2 * ((word >> (3 * k)) & 7) + 1;
    d |= (word >> 12) << (4 * i);
  }
  return halves[d]! / 8;
};

const table = signedLevels([-7, 1, 9], [-9, -1, 7]);

export const iq1Codecs: readonly Codec[] = [
  gridCodec("IQ1_S", { group: 32, table }, { blockBytes: 50, grid: iq1Grid, width: 8, read: readIq1S }),
  gridCodec("IQ1_M", { group: 16, table }, { blockBytes: 56, grid: iq1Grid, width: 8, read: readIq1M }),
];
