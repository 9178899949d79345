/** Blocks of 32 weights; `codecs/classic.ts` says how they lie. */
import { nonLinear } from "../codecs/classic.ts";
import { inverseOf, writeHalf } from "./code.ts";
import type { Fit, Recipe } from "./recipe.ts";

type ClassicType = "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0" | "IQ4_NL";
type Pack = Recipe["pack"];

/** Nibbles: byte l holds the weights l and l + 16. */
const packNibbles =
  (offset: number): Pack =>
  (codes, from, out, at) => {
    const to = at + offset;
    for (let i = 0; i < 16; i++) out[to + i] = (codes[from + i]! & 15) | ((codes[from + i + 16]! & 15) << 4);
  };

/** The fifth bits as a word of 32 bits, then the nibbles. */
const packFifths = (offset: number): Pack => {
  const nibbles = packNibbles(offset + 4);
  return (codes, from, out, at) => {
    for (let byte = 0; byte < 4; byte++) {
      let bits = 0;
      for (let i = 0; i < 8; i++) bits |= (codes[from + byte * 8 + i]! >> 4) << i;
      out[at + offset + byte] = bits;
    }
    nibbles(codes, from, out, at);
  };
};

/** A scale, and codes whose value is the code less `half`. */
function symmetric(half: 8 | 16, fit: Recipe["fit"], pack: Pack): Recipe {
  return {
    fit,
    codes: { group: 32, last: 2 * half - 1 },
    write({ scales, inverses, offsets }, { first, out, at }) {
      inverses[first] = inverseOf(writeHalf(out, at, scales[first]!));
      offsets[first] = half;
    },
    pack,
  };
}

/** A scale and a min of either sign. */
function ranged(last: 15 | 31, pack: Pack): Recipe {
  return {
    fit: (weighing = "even") => ({
      kind: "range",
      group: 32,
      last,
      signed: true,
      weighing,
      pairs: 8,
      first: -0.8,
      step: 0.1,
      rounds: 2,
    }),
    codes: { group: 32, last },
    write({ scales, seconds, inverses, offsets }, { first, out, at }) {
      const inverse = inverseOf(writeHalf(out, at, scales[first]!));
      inverses[first] = inverse;
      offsets[first] = -writeHalf(out, at + 2, seconds[first]!) * inverse;
    },
    pack,
  };
}

const fitEight: Recipe["fit"] = () => ({
  kind: "scale",
  group: 32,
  weighing: "even",
  rounding: { half: 127, even: true },
  tries: [{ first: 127, step: 0.4, pairs: 1 }],
  rounds: 0,
});

const eight: Recipe = {
  fit: fitEight,
  codes: { group: 32, last: 255 },
  write({ scales, inverses, offsets }, { first, out, at }) {
    inverses[first] = inverseOf(writeHalf(out, at, Math.abs(scales[first]!)));
    offsets[first] = 128;
  },
  pack(codes, from, out, at) {
    for (let i = 0; i < 32; i++) out[at + 2 + i] = codes[from + i]! ^ 128;
  },
};

/** Scales for codes of 16 values that do not stand at equal distances. */
export const fitTable: Recipe["fit"] = (weighing = "square"): Fit => ({
  kind: "scale",
  group: 32,
  weighing,
  rounding: { table: nonLinear },
  tries: [
    { first: -134, step: 1, pairs: 8 },
    { first: 108, step: 1, pairs: 8 },
  ],
  rounds: 2,
});

const table: Recipe = {
  fit: fitTable,
  codes: { group: 32, table: nonLinear },
  write({ scales, inverses }, { first, out, at }) {
    inverses[first] = inverseOf(writeHalf(out, at, scales[first]!));
  },
  pack: packNibbles(2),
};

const fitFour: Recipe["fit"] = (weighing = "square") => ({
  kind: "scale",
  group: 32,
  weighing,
  rounding: { half: 8 },
  tries: [
    { first: -8.9, step: 0.1, pairs: 9 },
    { first: 6.6, step: 0.1, pairs: 8 },
  ],
  rounds: 2,
});

const fitFive: Recipe["fit"] = (weighing = "square") => ({
  kind: "scale",
  group: 32,
  weighing,
  rounding: { half: 16 },
  tries: [
    { first: -16.9, step: 0.1, pairs: 9 },
    { first: 14.6, step: 0.1, pairs: 8 },
  ],
  rounds: 2,
});

export const classicRecipes: Readonly<Record<ClassicType, Recipe>> = {
  Q4_0: symmetric(8, fitFour, packNibbles(2)),
  Q4_1: ranged(15, packNibbles(4)),
  Q5_0: symmetric(16, fitFive, packFifths(2)),
  Q5_1: ranged(31, packFifths(4)),
  Q8_0: eight,
  IQ4_NL: table,
};
