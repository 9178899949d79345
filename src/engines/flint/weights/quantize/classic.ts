/** Blocks of 32 weights; `codecs/classic.ts` says how they lie. */
import { nonLinear } from "../codecs/classic.ts";
import { inverseOf, nibbles, ones, writeHalf, writeWord } from "./code.ts";
import type { Fit, Recipe } from "./recipe.ts";

type ClassicType = "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0" | "IQ4_NL";
type Pack = Recipe["pack"];

/** Byte l holds the weights l and l + 16. */
const packNibbles =
  (offset: number): Pack =>
  (codes, from, out, at) => {
    for (let i = 0; i < 4; i++) {
      const high = codes[from + i + 4]! & nibbles;
      writeWord(out, at + offset + i * 4, (codes[from + i]! & nibbles) | (high << 4));
    }
  };

/** The fifth bits as a word, then the nibbles. */
const packFifths = (offset: number): Pack => {
  const rest = packNibbles(offset + 4);
  return (codes, from, out, at) => {
    let bits = 0;
    for (let i = 0; i < 8; i++) {
      const fifths = (codes[from + i]! >>> 4) & ones;
      bits |= ((fifths | (fifths >> 7) | (fifths >> 14) | (fifths >> 21)) & 15) << (i * 4);
    }
    writeWord(out, at + offset, bits);
    rest(codes, from, out, at);
  };
};

/** Halves between two codes go up, as in ggml: weights of F16 give many of them. */
const halvesUp = 2 ** -20;

/** A scale, and codes whose value is the code less `half`. */
function symmetric(half: 8 | 16, fit: Recipe["fit"], pack: Pack): Recipe {
  return {
    fit,
    codes: { group: 32, last: 2 * half - 1 },
    write({ scales, inverses, offsets }, { first, out, at }) {
      writeHalf(out, at, scales[first]!);
      inverses[first] = inverseOf(scales[first]!);
      offsets[first] = half + halvesUp;
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
      pairs: 4,
      first: -0.8,
      step: 0.2,
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

/** Codes from 1 to 255 as numbers from −127 to 127. */
const signs = 0x80808080 | 0;

const eight: Recipe = {
  fit: fitEight,
  codes: { group: 32, last: 255 },
  write({ scales, inverses, offsets }, { first, out, at }) {
    inverses[first] = inverseOf(writeHalf(out, at, Math.abs(scales[first]!)));
    offsets[first] = 128;
  },
  pack(codes, from, out, at) {
    for (let i = 0; i < 8; i++) writeWord(out, at + 2 + i * 4, codes[from + i]! ^ signs);
  },
};

/** Scales for codes of 16 values that do not stand at equal distances. */
export const fitTable: Recipe["fit"] = (weighing = "square"): Fit => ({
  kind: "scale",
  group: 32,
  weighing,
  rounding: { table: nonLinear },
  tries: [
    { first: -134, step: 2, pairs: 4 },
    { first: 108, step: 2, pairs: 4 },
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

/**
 * Without importance the weight of the greatest magnitude gets the value -8, as in llama.cpp: a search for the scale with
 * the least error takes twice as long, and SmolLM2-135M has a perplexity of 23.39 after it instead of 23.16.
 */
const fitFour: Recipe["fit"] = (weighing) =>
  weighing
    ? {
        kind: "scale",
        group: 32,
        weighing,
        rounding: { half: 8 },
        tries: [{ first: -8.6, step: 0.4, pairs: 2 }],
        rounds: 1,
      }
    : { kind: "scale", group: 32, weighing: "even", rounding: { half: 8 }, tries: [], extreme: -8, rounds: 0 };

const fitFive: Recipe["fit"] = (weighing = "square") => ({
  kind: "scale",
  group: 32,
  weighing,
  rounding: { half: 16 },
  tries: [{ first: -16.6, step: 0.4, pairs: 2 }],
  rounds: 1,
});

export const classicRecipes: Readonly<Record<ClassicType, Recipe>> = {
  Q4_0: symmetric(8, fitFour, packNibbles(2)),
  Q4_1: ranged(15, packNibbles(4)),
  Q5_0: symmetric(16, fitFive, packFifths(2)),
  Q5_1: ranged(31, packFifths(4)),
  Q8_0: eight,
  IQ4_NL: table,
};
