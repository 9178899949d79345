import type { Codec } from "./contract.ts";
import { halves } from "../../../../util/half.ts";
import { codeShorts, readShort, shortsOf } from "./run.ts";
import { superCodec } from "./super.ts";
import type { SuperLoop } from "./super.ts";

// Weights -1, 0 and 1 times one f16 for all 256: every group repeats it.

/**
 * 48 bytes of five weights each, 4 bytes of four, f16 d. A byte b stands for the fraction b / 256, whose digits in
 * base 3 are its weights plus one. Digit n of 32, then 16, then 4 neighbouring bytes are neighbouring weights.
 */
const decodeTq1: SuperLoop = (source, blocks, { codes, subScales, d }) => {
  subScales.fill(1, 0, blocks * 8);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 54) {
    d[block] = halves[readShort(source, at + 52)]!;
    for (const [start, bytes, digits] of ternaryRuns) {
      for (let i = 0; i < bytes; i++) {
        let fraction = source[at + start + i]!;
        for (let digit = 0; digit < digits; digit++, fraction = (fraction * 3) & 255) {
          codes[to + digit * bytes + i] = (fraction * 3) >> 8;
        }
      }
      to += bytes * digits;
    }
  }
};

/** First byte, number of bytes, digits of a byte. */
const ternaryRuns = [
  [0, 32, 5],
  [32, 16, 5],
  [48, 4, 4],
] as const;

/** 64 bytes of codes of two bits in four planes, each run of 32 bytes for 128 weights; f16 d. */
const decodeTq2: SuperLoop = (source, blocks, { codes, subScales, d }) => {
  subScales.fill(1, 0, blocks * 8);
  const shorts = shortsOf(source);
  const out = codeShorts(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 33) {
    d[block] = halves[shorts[at + 32]!]!;
    for (let plane = 0; plane < 8; plane++) {
      const from = at + (plane >> 2) * 16;
      const shift = (plane & 3) * 2;
      for (let i = 0; i < 16; i++) out[to++] = (shorts[from + i]! >> shift) & 0x0303;
    }
  }
};

const table = new Int8Array(16);
table.set([-1, 0, 1, 2]);

export const ternaryCodecs: readonly Codec[] = [
  superCodec("TQ1_0", { bits: 4, group: 32, table, hasMin: false }, decodeTq1),
  superCodec("TQ2_0", { bits: 4, group: 32, table, hasMin: false }, decodeTq2),
];
