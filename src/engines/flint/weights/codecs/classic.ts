import type { CodeFormat, Codec, Codes } from "./contract.ts";
import { halves } from "../../../../util/half.ts";
import { codeShorts, codeWords, countBlocks, shortsOf, spreadBits, wordsOf } from "./run.ts";

// Blocks of 32 weights with one f16 scale d, and in the _1 types an f16 m: weight = d · q + m. Byte j of the nibbles
// holds weight j in its low half and weight j + 16 in its high half; bit j of a word of 32 is the fifth bit of weight j.
// Here and in the other codecs two or four codes are moved at a time, as the bytes of one word.

export type Loop = (source: Uint8Array, blocks: number, into: Codes) => void;

export function classic(type: Codec["type"], format: CodeFormat, loop: Loop): Codec {
  return {
    type,
    format,
    decode: (source, weights, into) => {
      if (format.hasMin && !into.mins) throw new RangeError(`${type} has mins and needs room for them`);
      loop(source, countBlocks(type, source, weights, into.codes), into);
    },
  };
}

/** An f16 scale and 16 bytes of nibbles: Q4_0, and IQ4_NL with its table. */
export const decodeNibbles: Loop = (source, blocks, { codes, scales }) => {
  const shorts = shortsOf(source);
  const out = codeShorts(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 9, to += 16) {
    scales[block] = halves[shorts[at]!]!;
    for (let i = 0; i < 8; i++) {
      const short = shorts[at + 1 + i]!;
      out[to + i] = short & 0x0f0f;
      out[to + 8 + i] = (short >> 4) & 0x0f0f;
    }
  }
};

const decodeQ4Min: Loop = (source, blocks, { codes, scales, mins }) => {
  const words = wordsOf(source);
  const out = codeWords(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 5, to += 8) {
    scales[block] = halves[words[at]! & 0xffff]!;
    mins![block] = -halves[words[at]! >>> 16]!;
    for (let i = 0; i < 4; i++) {
      const word = words[at + 1 + i]!;
      out[to + i] = word & 0x0f0f0f0f;
      out[to + 4 + i] = (word >>> 4) & 0x0f0f0f0f;
    }
  }
};

/** The lowest two bits as bit 4 of two bytes. */
function spreadPair(bits: number): number {
  return ((bits & 1) << 4) | ((bits & 2) << 11);
}

const decodeQ5: Loop = (source, blocks, { codes, scales }) => {
  const shorts = shortsOf(source);
  const out = codeShorts(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 11, to += 16) {
    scales[block] = halves[shorts[at]!]!;
    let low = shorts[at + 1]!;
    let high = shorts[at + 2]!;
    for (let i = 0; i < 8; i++, low >>= 2, high >>= 2) {
      const short = shorts[at + 3 + i]!;
      out[to + i] = (short & 0x0f0f) | spreadPair(low);
      out[to + 8 + i] = ((short >> 4) & 0x0f0f) | spreadPair(high);
    }
  }
};

const decodeQ5Min: Loop = (source, blocks, { codes, scales, mins }) => {
  const words = wordsOf(source);
  const out = codeWords(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 6, to += 8) {
    scales[block] = halves[words[at]! & 0xffff]!;
    mins![block] = -halves[words[at]! >>> 16]!;
    const high = words[at + 1]!;
    for (let i = 0; i < 4; i++) {
      const word = words[at + 2 + i]!;
      out[to + i] = (word & 0x0f0f0f0f) | (spreadBits(high >>> (4 * i)) << 4);
      out[to + 4 + i] = ((word >>> 4) & 0x0f0f0f0f) | (spreadBits(high >>> (16 + 4 * i)) << 4);
    }
  }
};

const decodeQ8: Loop = (source, blocks, { codes, scales }) => {
  const shorts = shortsOf(source);
  const out = codeShorts(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 17, to += 16) {
    scales[block] = halves[shorts[at]!]!;
    for (let i = 0; i < 16; i++) out[to + i] = shorts[at + 1 + i]!;
  }
};

/** Values of the 4-bit codes of IQ4_NL and IQ4_XS: denser near zero, as weights are. */
export const nonLinear: Int8Array = Int8Array.from([
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
]);

export const classicCodecs: readonly Codec[] = [
  classic("Q4_0", { bits: 4, group: 32, offset: 8, hasMin: false }, decodeNibbles),
  classic("Q4_1", { bits: 4, group: 32, hasMin: true }, decodeQ4Min),
  classic("Q5_0", { bits: 5, group: 32, offset: 16, hasMin: false }, decodeQ5),
  classic("Q5_1", { bits: 5, group: 32, hasMin: true }, decodeQ5Min),
  classic("Q8_0", { bits: 8, group: 32, hasMin: false }, decodeQ8),
  classic("IQ4_NL", { bits: 4, group: 32, table: nonLinear, hasMin: false }, decodeNibbles),
];
