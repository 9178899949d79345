import type { Codec, SuperCodes } from "./contract.ts";
import { halves } from "../../../../util/half.ts";
import { codeShorts, codeWords, shortsOf, wordsOf } from "./run.ts";
import { superCodec } from "./super.ts";
import type { SuperLoop } from "./super.ts";

// The K types: super-blocks of 256 weights with one or two f16 and small integer scales for groups of 16 or 32.
// Codes of two bits lie in four planes: byte l of a run of 32 holds the weights l, l + 32, l + 64 and l + 96.

/** 16 bytes of scales (low half) and mins (high half), 64 bytes of codes, f16 d, f16 dmin. */
const decodeQ2: SuperLoop = (source, blocks, { codes, subScales, subMins, d, dmin }) => {
  const words = wordsOf(source);
  const out = codeWords(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 21) {
    d[block] = halves[words[at + 20]! & 0xffff]!;
    dmin![block] = halves[words[at + 20]! >>> 16]!;
    for (let i = 0; i < 16; i++) {
      const both = words[at + (i >> 2)]! >>> (8 * (i & 3));
      subScales[block * 16 + i] = both & 15;
      subMins![block * 16 + i] = (both >>> 4) & 15;
    }
    for (let half = at + 4; half < at + 20; half += 8) {
      for (let shift = 0; shift < 8; shift += 2) {
        for (let i = 0; i < 8; i++) out[to++] = (words[half + i]! >>> shift) & 0x03030303;
      }
    }
  }
};

/** 32 bytes of third bits (bit p of byte l: plane p), 64 bytes of codes, 12 bytes of 6-bit scales, f16 d. */
const decodeQ3: SuperLoop = (source, blocks, { codes, subScales, d }) => {
  const shorts = shortsOf(source);
  const out = codeShorts(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 55) {
    d[block] = halves[shorts[at + 54]!]!;
    readQ3Scales(shorts, at + 48, subScales, block * 16);
    for (let plane = 0; plane < 8; plane++) {
      const low = at + 16 + (plane >> 2) * 16;
      const shift = (plane & 3) * 2;
      for (let i = 0; i < 16; i++) {
        out[to++] = ((shorts[low + i]! >> shift) & 0x0303) | (((shorts[at + i]! >> plane) & 0x0101) << 2);
      }
    }
  }
};

/** Scale i has its low half in half ⌊i / 8⌋ of byte i mod 8, and its two high bits in bits 2⌊i / 4⌋ of byte 8 + i mod 4. */
function readQ3Scales(shorts: Uint16Array, at: number, into: Int8Array, to: number): void {
  for (let i = 0; i < 16; i++) {
    const low = shorts[at + ((i & 7) >> 1)]! >> (8 * (i & 1) + 4 * (i >> 3));
    const high = shorts[at + 4 + ((i & 3) >> 1)]! >> (8 * (i & 1) + 2 * (i >> 2));
    into[to + i] = ((low & 15) | ((high & 3) << 4)) - 32;
  }
}

/** The start of Q4_K and Q5_K: f16 d, f16 dmin, and eight scales and eight mins of six bits in 12 bytes. */
function readQ4Scales(words: Int32Array, at: number, into: SuperCodes, block: number): void {
  into.d[block] = halves[words[at]! & 0xffff]!;
  into.dmin![block] = halves[words[at]! >>> 16]!;
  const scales = words[at + 1]!;
  const mins = words[at + 2]!;
  const halvesOfBoth = words[at + 3]!;
  // The last four scales and mins: low halves from the third word, two high bits from the top of the first four.
  const lateScales = (halvesOfBoth & 0x0f0f0f0f) | ((scales >>> 2) & 0x30303030);
  const lateMins = ((halvesOfBoth >>> 4) & 0x0f0f0f0f) | ((mins >>> 2) & 0x30303030);
  const { subScales, subMins } = into;
  for (let i = 0, to = block * 8; i < 4; i++, to++) {
    subScales[to] = (scales >>> (8 * i)) & 63;
    subScales[to + 4] = (lateScales >>> (8 * i)) & 63;
    subMins![to] = (mins >>> (8 * i)) & 63;
    subMins![to + 4] = (lateMins >>> (8 * i)) & 63;
  }
}

/** After the scales 128 bytes: each run of 32 holds 32 weights in its low halves and the next 32 in its high halves. */
const decodeQ4: SuperLoop = (source, blocks, into) => {
  const words = wordsOf(source);
  const out = codeWords(into.codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 36) {
    readQ4Scales(words, at, into, block);
    for (let run = at + 4; run < at + 36; run += 8, to += 16) {
      for (let i = 0; i < 8; i++) {
        const word = words[run + i]!;
        out[to + i] = word & 0x0f0f0f0f;
        out[to + 8 + i] = (word >>> 4) & 0x0f0f0f0f;
      }
    }
  }
};

/** As Q4_K, with 32 bytes between: bit g of byte l is the fifth bit of weight 32 g + l. */
const decodeQ5: SuperLoop = (source, blocks, into) => {
  const words = wordsOf(source);
  const out = codeWords(into.codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 44) {
    readQ4Scales(words, at, into, block);
    for (let run = 0; run < 4; run++, to += 16) {
      for (let i = 0; i < 8; i++) {
        const high = words[at + 4 + i]! >>> (2 * run);
        const word = words[at + 12 + 8 * run + i]!;
        out[to + i] = (word & 0x0f0f0f0f) | ((high & 0x01010101) << 4);
        out[to + 8 + i] = ((word >>> 4) & 0x0f0f0f0f) | ((high & 0x02020202) << 3);
      }
    }
  }
};

/**
 * 128 bytes of low halves, 64 bytes of high pairs, 16 int8 scales, f16 d. In each half of the super-block, the 64
 * bytes hold its first 64 weights in their low halves and the next 64 in their high halves; the pairs lie in planes.
 */
const decodeQ6: SuperLoop = (source, blocks, { codes, subScales, d }) => {
  const shorts = shortsOf(source);
  const out = codeShorts(codes);
  const signed = new Int8Array(shorts.buffer, shorts.byteOffset, shorts.length * 2);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 105) {
    d[block] = halves[shorts[at + 104]!]!;
    for (let i = 0; i < 16; i++) subScales[block * 16 + i] = signed[at * 2 + 192 + i]!;
    for (let half = 0; half < 2; half++, to += 64) {
      for (let i = 0, low = at + half * 32; i < 16; i++, low++) {
        const pairs = shorts[at + 64 + half * 16 + i]!;
        const near = shorts[low]!;
        const far = shorts[low + 16]!;
        out[to + i] = (near & 0x0f0f) | ((pairs & 0x0303) << 4);
        out[to + 16 + i] = (far & 0x0f0f) | ((pairs & 0x0c0c) << 2);
        out[to + 32 + i] = ((near >> 4) & 0x0f0f) | (pairs & 0x3030);
        out[to + 48 + i] = ((far >> 4) & 0x0f0f) | ((pairs >> 2) & 0x3030);
      }
    }
  }
};

export const kCodecs: readonly Codec[] = [
  superCodec("Q2_K", { bits: 4, group: 16, hasMin: true }, decodeQ2),
  superCodec("Q3_K", { bits: 4, group: 16, offset: 4, hasMin: false }, decodeQ3),
  superCodec("Q4_K", { bits: 4, group: 32, hasMin: true }, decodeQ4),
  superCodec("Q5_K", { bits: 5, group: 32, hasMin: true }, decodeQ5),
  superCodec("Q6_K", { bits: 6, group: 16, offset: 32, hasMin: false }, decodeQ6),
];
