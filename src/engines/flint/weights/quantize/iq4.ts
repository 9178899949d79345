/** IQ4_XS: super-blocks of 256 weights; `codecs/iq4.ts` says how they lie. */
import { nonLinear } from "../codecs/classic.ts";
import { fitTable } from "./classic.ts";
import { writeWord } from "./code.ts";
import { invertScales, settleSigned } from "./multiples.ts";
import type { Recipe } from "./recipe.ts";

export const iq4Xs: Recipe = {
  fit: fitTable,
  codes: { group: 32, table: nonLinear },
  settle: (groups, block) => settleSigned(groups, block, { at: 0, count: 8, half: 32 }),
  adjust: (weighing = "square") => ({
    kind: "scale",
    group: 32,
    weighing,
    rounding: { table: nonLinear },
    least: -32,
    most: 31,
  }),
  write(groups, { first, out, at }) {
    let high = 0;
    out.fill(0, at + 4, at + 8);
    for (let i = 0; i < 8; i++) {
      const subScale = groups.scales[first + i]! + 32;
      high |= (subScale >> 4) << (2 * i);
      out[at + 4 + (i >> 1)]! |= (subScale & 15) << (4 * (i & 1));
    }
    out[at + 2] = high & 255;
    out[at + 3] = high >> 8;
    invertScales(groups, first, 8, 0);
  },
  pack(codes, from, out, at) {
    for (let group = 0; group < 8; group++) {
      const low = from + group * 8;
      const to = at + 8 + group * 16;
      for (let i = 0; i < 4; i++) writeWord(out, to + i * 4, codes[low + i]! | (codes[low + i + 4]! << 4));
    }
  },
};
