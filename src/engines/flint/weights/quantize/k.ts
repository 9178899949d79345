/** Super-blocks of 256 weights; `codecs/k.ts` says how they lie. */
import { nibbles, ones, threes, writeWord } from "./code.ts";
import { invertBoth, invertScales, settleBoth, settleSigned } from "./multiples.ts";
import type { Block, Groups, Recipe } from "./recipe.ts";

type KType = "Q2_K" | "Q3_K" | "Q4_K" | "Q5_K" | "Q6_K";

/** Eight scales and eight mins of six bits. */
function writeSixes({ scales, seconds }: Groups, { first, out, at }: Block): void {
  for (let i = 0; i < 4; i++) {
    const later = first + i + 4;
    out[at + 4 + i] = scales[first + i]! | ((scales[later]! >> 4) << 6);
    out[at + 8 + i] = seconds[first + i]! | ((seconds[later]! >> 4) << 6);
    out[at + 12 + i] = (scales[later]! & 15) | ((seconds[later]! & 15) << 4);
  }
}

/** Q4_K and Q5_K. */
function withMins(last: 15 | 31, pack: Recipe["pack"]): Recipe {
  return {
    fit: (weighing = "size") => ({
      kind: "range",
      group: 32,
      last,
      signed: false,
      weighing,
      pairs: 5,
      first: -1,
      step: 0.2,
      rounds: 2,
    }),
    codes: { group: 32, last },
    settle: (groups, block) => settleBoth(groups, block, { count: 8, most: 63, at: 0 }),
    adjust: (weighing = "size") => ({ kind: "range", group: 32, weighing, last, most: 63 }),
    write(groups, block) {
      writeSixes(groups, block);
      invertBoth(groups, block.first, 8);
    },
    pack,
  };
}

/** Each run of 32 bytes holds 32 weights in its low halves and the next 32 in its high halves. */
function packHalves(codes: Int32Array, from: number, out: DataView, at: number): void {
  for (let run = 0; run < 4; run++) {
    const low = from + run * 16;
    for (let i = 0; i < 8; i++) {
      const high = codes[low + i + 8]! & nibbles;
      writeWord(out, at + run * 32 + i * 4, (codes[low + i]! & nibbles) | (high << 4));
    }
  }
}

/** A bit of every code: bit g of byte l is that of weight 32 g + l. */
function packBits(codes: Int32Array, from: number, { out, at, bit }: { out: DataView; at: number; bit: number }): void {
  for (let i = 0; i < 8; i++) {
    let bits = 0;
    for (let group = 0; group < 8; group++) bits |= ((codes[from + group * 8 + i]! >>> bit) & ones) << group;
    writeWord(out, at + i * 4, bits);
  }
}

const two: Recipe = {
  fit: (weighing = "size") => ({
    kind: "range",
    group: 16,
    last: 3,
    signed: false,
    weighing,
    pairs: 5,
    first: -1,
    step: 0.2,
    rounds: 2,
  }),
  codes: { group: 16, last: 3 },
  settle: (groups, block) => settleBoth(groups, block, { count: 16, most: 15, at: 80 }),
  adjust: (weighing = "size") => ({ kind: "range", group: 16, weighing, last: 3, most: 15 }),
  write(groups, { first, out, at }) {
    for (let i = 0; i < 16; i++) out[at + i] = groups.scales[first + i]! | (groups.seconds[first + i]! << 4);
    invertBoth(groups, first, 16);
  },
  pack(codes, from, out, at) {
    packPlanes(codes, from, { out, at: at + 16, bit: 0 });
  },
};

/** Two bits of each code, in four planes: byte l of a run of 32 holds the weights l, l + 32, l + 64 and l + 96. */
function packPlanes(
  codes: Int32Array,
  from: number,
  { out, at, bit }: { out: DataView; at: number; bit: number },
): void {
  for (let half = 0; half < 2; half++) {
    const low = from + half * 32;
    for (let i = 0; i < 8; i++) {
      let pairs = 0;
      for (let plane = 0; plane < 4; plane++) pairs |= ((codes[low + plane * 8 + i]! >>> bit) & threes) << (plane * 2);
      writeWord(out, at + half * 32 + i * 4, pairs);
    }
  }
}

const three: Recipe = {
  fit: (weighing = "square") => ({
    kind: "scale",
    group: 16,
    weighing,
    rounding: { half: 4 },
    tries: [
      { first: -4.8, step: 0.25, pairs: 4 },
      { first: 2.7, step: 0.3, pairs: 3 },
    ],
    rounds: 3,
  }),
  codes: { group: 16, last: 7 },
  settle: (groups, block) => settleSigned(groups, block, { at: 108, count: 16, half: 32 }),
  adjust: (weighing = "square") => ({
    kind: "scale",
    group: 16,
    weighing,
    rounding: { half: 4 },
    least: -32,
    most: 31,
  }),
  write(groups, { first, out, at }) {
    const scale = (index: number): number => groups.scales[first + index]! + 32;
    for (let i = 0; i < 8; i++) out[at + 96 + i] = (scale(i) & 15) | ((scale(i + 8) & 15) << 4);
    for (let i = 0; i < 4; i++) {
      const pair = (scale(i) >> 4) | ((scale(i + 4) >> 4) << 2);
      out[at + 104 + i] = pair | ((scale(i + 8) >> 4) << 4) | ((scale(i + 12) >> 4) << 6);
    }
    invertScales(groups, first, 16, 4);
  },
  pack(codes, from, out, at) {
    packBits(codes, from, { out, at, bit: 2 });
    packPlanes(codes, from, { out, at: at + 32, bit: 0 });
  },
};

const six: Recipe = {
  fit: (weighing = "square") => ({
    kind: "scale",
    group: 16,
    weighing,
    rounding: { half: 32 },
    tries: [{ first: -32.8, step: 0.25, pairs: 4 }],
    rounds: 1,
  }),
  codes: { group: 16, last: 63 },
  settle: (groups, block) => settleSigned(groups, block, { at: 208, count: 16, half: 128 }),
  write(groups, { first, out, at }) {
    for (let i = 0; i < 16; i++) out[at + 192 + i] = groups.scales[first + i]!;
    invertScales(groups, first, 16, 32);
  },
  pack(codes, from, out, at) {
    for (let half = 0; half < 2; half++) {
      const low = from + half * 32;
      for (let i = 0; i < 16; i++) {
        const high = codes[low + i + 16]! & nibbles;
        writeWord(out, at + half * 64 + i * 4, (codes[low + i]! & nibbles) | (high << 4));
      }
    }
    packPlanes(codes, from, { out, at: at + 128, bit: 4 });
  },
};

export const kRecipes: Readonly<Record<KType, Recipe>> = {
  Q2_K: two,
  Q3_K: three,
  Q4_K: withMins(15, (codes, from, out, at) => packHalves(codes, from, out, at + 16)),
  Q5_K: withMins(31, (codes, from, out, at) => {
    packBits(codes, from, { out, at: at + 16, bit: 4 });
    packHalves(codes, from, out, at + 48);
  }),
  Q6_K: six,
};
