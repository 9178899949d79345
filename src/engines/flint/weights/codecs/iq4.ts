import { nonLinear } from "./classic.ts";
import type { Codec } from "./contract.ts";
import { halves } from "../../../../util/half.ts";
import { codeWords, wordsOf } from "./run.ts";
import { superCodec } from "./super.ts";
import type { SuperLoop } from "./super.ts";

/** f16 d; a word of eight times two high bits of scales; 4 bytes of their low halves; 128 bytes of nibbles. */
const decodeIq4Xs: SuperLoop = (source, blocks, { codes, subScales, d }) => {
  const words = wordsOf(source);
  const out = codeWords(codes);
  for (let block = 0, at = 0, to = 0; block < blocks; block++, at += 34) {
    d[block] = halves[words[at]! & 0xffff]!;
    const high = words[at]! >>> 16;
    const low = words[at + 1]!;
    for (let group = 0; group < 8; group++, to += 8) {
      subScales[block * 8 + group] = (((low >>> (4 * group)) & 15) | (((high >>> (2 * group)) & 3) << 4)) - 32;
      for (let i = 0; i < 4; i++) {
        const word = words[at + 2 + group * 4 + i]!;
        out[to + i] = word & 0x0f0f0f0f;
        out[to + 4 + i] = (word >>> 4) & 0x0f0f0f0f;
      }
    }
  }
};

export const iq4Codecs: readonly Codec[] = [
  superCodec("IQ4_XS", { bits: 4, group: 32, table: nonLinear, hasMin: false }, decodeIq4Xs),
];
