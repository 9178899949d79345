import type { Codec } from "./contract.ts";
import { classic } from "./classic.ts";
import type { Loop } from "./classic.ts";
import { halves } from "../../../../util/half.ts";
import { codeWords, readShort, spreadBits } from "./run.ts";

// The floats of four bits (E2M1) with a scale of eight bits, and the types of one and two bits with an f16.

/** Values of E2M1, doubled so that they are integers; their scales are halved. */
const e2m1 = Int8Array.of(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

/** A byte with the power of two of the scale (OCP Microscaling Formats 1.0, E8M0, bias 127), 16 bytes of nibbles. */
const decodeMxfp4: Loop = (source, blocks, { codes, scales }) => {
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 17, to += 32) {
    scales[block] = 2 ** (source[at]! - 128);
    for (let i = 0; i < 16; i++) {
      const byte = source[at + 1 + i]!;
      codes[to + i] = byte & 15;
      codes[to + 16 + i] = byte >> 4;
    }
  }
};

/** Four scales (E4M3 without sign, bias 7) for 16 weights each, then 8 bytes of nibbles for each 16. */
const decodeNvfp4: Loop = (source, blocks, { codes, scales }) => {
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 36) {
    for (let group = 0; group < 4; group++, to += 16) {
      scales[block * 4 + group] = smallFloats[source[at + group]!]!;
      for (let i = 0; i < 8; i++) {
        const byte = source[at + 4 + group * 8 + i]!;
        codes[to + i] = byte & 15;
        codes[to + 8 + i] = byte >> 4;
      }
    }
  }
};

/** Half the value of each E4M3 byte. ggml ignores the top bit, and takes 0x7f, which is no number, for 0. */
const smallFloats = Float32Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x7f) return 0;
  const exponent = (byte >> 3) & 15;
  const mantissa = byte & 7;
  return exponent ? (8 + mantissa) * 2 ** (exponent - 11) : mantissa * 2 ** -10;
});

/** f16 d and a bit for each of 128 weights: set for d, else -d. */
const decodeQ1: Loop = (source, blocks, { codes, scales }) => {
  const out = codeWords(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 18, to += 32) {
    scales.fill(halves[readShort(source, at)]!, block * 4, block * 4 + 4);
    for (let i = 0; i < 16; i++) {
      const byte = source[at + 2 + i]!;
      out[to + 2 * i] = spreadBits(byte);
      out[to + 2 * i + 1] = spreadBits(byte >> 4);
    }
  }
};

/** f16 d and two bits for each of 64 weights, four neighbours in a byte. */
const decodeQ2: Loop = (source, blocks, { codes, scales }) => {
  const out = codeWords(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 18, to += 16) {
    scales.fill(halves[readShort(source, at)]!, block * 2, block * 2 + 2);
    for (let i = 0; i < 16; i++) {
      const byte = source[at + 2 + i]!;
      out[to + i] = (byte & 3) | ((byte & 12) << 6) | ((byte & 48) << 12) | ((byte & 192) << 18);
    }
  }
};

function tableOf(...values: readonly number[]): Int8Array {
  const table = new Int8Array(16);
  table.set(values);
  return table;
}

export const microCodecs: readonly Codec[] = [
  classic("MXFP4", { bits: 4, group: 32, table: e2m1, hasMin: false }, decodeMxfp4),
  classic("NVFP4", { bits: 4, group: 16, table: e2m1, hasMin: false }, decodeNvfp4),
  classic("Q1_0", { bits: 4, group: 32, table: tableOf(-1, 1), hasMin: false }, decodeQ1),
  classic("Q2_0", { bits: 4, group: 32, table: tableOf(-1, 0, 1, 2), hasMin: false }, decodeQ2),
];
