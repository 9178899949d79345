/** IQ4_XS: super-blocks of 256 weights; `codecs/iq4.ts` says how they lie. */
import { nonLinear } from "../codecs/classic.ts";
import { fitTable } from "./classic.ts";
import { inverseOf, nearestCode, writeHalf } from "./code.ts";
import type { Recipe } from "./recipe.ts";

export const iq4Xs: Recipe = {
  fit: fitTable,
  codes: { group: 32, table: nonLinear },
  settle({ scales, inverses }, first, out, at) {
    let extreme = 0;
    for (let i = first; i < first + 8; i++) if (Math.abs(scales[i]!) > Math.abs(extreme)) extreme = scales[i]!;
    const d = writeHalf(out, at, extreme / -32);
    const inverse = inverseOf(d);
    let high = 0;
    out.fill(0, at + 4, at + 8);
    for (let i = 0; i < 8; i++) {
      const subScale = nearestCode(scales[first + i]! * inverse + 32, 63);
      high |= (subScale >> 4) << (2 * i);
      out[at + 4 + (i >> 1)]! |= (subScale & 15) << (4 * (i & 1));
      inverses[first + i] = inverseOf(d * (subScale - 32));
    }
    out[at + 2] = high & 255;
    out[at + 3] = high >> 8;
  },
  pack(codes, from, out, at) {
    for (let group = 0; group < 8; group++) {
      const low = from + group * 32;
      const to = at + 8 + group * 16;
      for (let i = 0; i < 16; i++) out[to + i] = codes[low + i]! | (codes[low + i + 16]! << 4);
    }
  },
};
