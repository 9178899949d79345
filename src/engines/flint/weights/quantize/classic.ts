import type { ClassicType, EncodeBlock } from "./code.ts";
import { furthest, inverseOf, nearestCode, writeHalf } from "./code.ts";

// Blocks of 32 weights; `codecs/classic.ts` says how they lie.

/** The weight of the greatest magnitude gets the code 0, whose value is -8 or -16: there is no such positive value. */
function symmetric(half: 8 | 16, write: WriteCodes): EncodeBlock {
  return (weights, from, out, at) => {
    const inverse = inverseOf(writeHalf(out, at, furthest(weights, from, 32) / -half));
    for (let i = 0; i < 32; i++) codes[i] = nearestCode(weights[from + i]! * inverse + half, 2 * half - 1);
    write(out, at + 2);
  };
}

/** Codes from 0 for the lowest weight to `last` for the highest. */
function ranged(last: 15 | 31, write: WriteCodes): EncodeBlock {
  return (weights, from, out, at) => {
    let lowest = Infinity;
    let highest = -Infinity;
    for (let i = from; i < from + 32; i++) {
      lowest = Math.min(lowest, weights[i]!);
      highest = Math.max(highest, weights[i]!);
    }
    const inverse = inverseOf(writeHalf(out, at, (highest - lowest) / last));
    const min = writeHalf(out, at + 2, lowest);
    for (let i = 0; i < 32; i++) codes[i] = nearestCode((weights[from + i]! - min) * inverse, last);
    write(out, at + 4);
  };
}

const encodeQ8: EncodeBlock = (weights, from, out, at) => {
  const inverse = inverseOf(writeHalf(out, at, Math.abs(furthest(weights, from, 32)) / 127));
  for (let i = 0; i < 32; i++) out[at + 2 + i] = nearestCode(weights[from + i]! * inverse + 127, 254) - 127;
};

/** The codes of the block at work. */
const codes = new Uint8Array(32);

type WriteCodes = (out: Uint8Array, at: number) => void;

const writeNibbles: WriteCodes = (out, at) => {
  for (let i = 0; i < 16; i++) out[at + i] = (codes[i]! & 15) | ((codes[i + 16]! & 15) << 4);
};

/** The fifth bits as a word of 32 bits, then the nibbles. */
const writeFifths: WriteCodes = (out, at) => {
  for (let i = 0; i < 32; i++) out[at + (i >> 3)]! |= (codes[i]! >> 4) << (i & 7);
  writeNibbles(out, at + 4);
};

export const classicEncoders: Readonly<Record<ClassicType, EncodeBlock>> = {
  Q4_0: symmetric(8, writeNibbles),
  Q4_1: ranged(15, writeNibbles),
  Q5_0: symmetric(16, writeFifths),
  Q5_1: ranged(31, writeFifths),
  Q8_0: encodeQ8,
};
