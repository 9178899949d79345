/** Super-blocks of 256 weights; `codecs/k.ts` says how they lie. */
import { inverseOf, nearestCode, writeHalf } from "./code.ts";
import type { Groups, Recipe } from "./recipe.ts";

/** The sub-scales and sub-mins of the super-block at work. */
const subScales = new Uint8Array(16);
const subMins = new Uint8Array(16);

interface Levels {
  readonly count: 8 | 16;
  /** Largest sub-scale and sub-min. */
  readonly most: 15 | 63;
  /** Where d and dmin go. */
  readonly at: number;
}

/** Rounds scales and mins to multiples of d and dmin, which are written; the multiples are left in `subScales`, `subMins`. */
function settleBoth({ scales, seconds, inverses, offsets }: Groups, first: number, out: Uint8Array, levels: Levels): void {
  const { count, most, at } = levels;
  let largest = 0;
  let lowest = 0;
  for (let i = first; i < first + count; i++) {
    largest = Math.max(largest, scales[i]!);
    lowest = Math.min(lowest, seconds[i]!);
  }
  const d = writeHalf(out, at, largest / most);
  const dmin = writeHalf(out, at + 2, -lowest / most);
  const inverse = inverseOf(d);
  const inverseMin = inverseOf(dmin);
  for (let i = 0; i < count; i++) {
    const subScale = nearestCode(scales[first + i]! * inverse, most);
    const subMin = nearestCode(-seconds[first + i]! * inverseMin, most);
    subScales[i] = subScale;
    subMins[i] = subMin;
    const toCode = inverseOf(d * subScale);
    inverses[first + i] = toCode;
    offsets[first + i] = dmin * subMin * toCode;
  }
}

/** Eight scales and eight mins of six bits. */
function writeSixes(out: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) {
    out[at + i] = subScales[i]! | ((subScales[i + 4]! >> 4) << 6);
    out[at + 4 + i] = subMins[i]! | ((subMins[i + 4]! >> 4) << 6);
    out[at + 8 + i] = (subScales[i + 4]! & 15) | ((subMins[i + 4]! & 15) << 4);
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
      pairs: 10,
      first: -1,
      step: 0.1,
      rounds: 2,
    }),
    codes: { group: 32, last },
    settle(groups, first, out, at) {
      settleBoth(groups, first, out, { count: 8, most: 63, at });
      writeSixes(out, at + 4);
    },
    pack,
  };
}

/** Each run of 32 bytes holds 32 weights in its low halves and the next 32 in its high halves. */
function packHalves(codes: Uint8Array, from: number, out: Uint8Array, at: number): void {
  for (let run = 0; run < 4; run++) {
    const low = from + run * 64;
    const to = at + run * 32;
    for (let i = 0; i < 32; i++) out[to + i] = (codes[low + i]! & 15) | ((codes[low + i + 32]! & 15) << 4);
  }
}

/** Bit g of byte l is the fifth bit of weight 32 g + l. */
function packFifths(codes: Uint8Array, from: number, out: Uint8Array, at: number): void {
  for (let i = 0; i < 32; i++) {
    let bits = 0;
    for (let group = 0; group < 8; group++) bits |= (codes[from + group * 32 + i]! >> 4) << group;
    out[at + i] = bits;
  }
}

const two: Recipe = {
  fit: (weighing = "size") => ({
    kind: "range",
    group: 16,
    last: 3,
    signed: false,
    weighing,
    pairs: 10,
    first: -1,
    step: 0.1,
    rounds: 2,
  }),
  codes: { group: 16, last: 3 },
  settle(groups, first, out, at) {
    settleBoth(groups, first, out, { count: 16, most: 15, at: at + 80 });
    for (let i = 0; i < 16; i++) out[at + i] = subScales[i]! | (subMins[i]! << 4);
  },
  pack(codes, from, out, at) {
    packPlanes(codes, from, out, at + 16);
  },
};

/** Two bits of each code, in four planes: byte l of a run of 32 holds the weights l, l + 32, l + 64 and l + 96. */
function packPlanes(codes: Uint8Array, from: number, out: Uint8Array, at: number): void {
  for (let half = 0; half < 2; half++) {
    const low = from + half * 128;
    const to = at + half * 32;
    for (let i = 0; i < 32; i++) {
      out[to + i] =
        (codes[low + i]! & 3) |
        ((codes[low + i + 32]! & 3) << 2) |
        ((codes[low + i + 64]! & 3) << 4) |
        ((codes[low + i + 96]! & 3) << 6);
    }
  }
}

/** Scales of either sign as multiples of d, from −half to half − 1; codes have the value of the code less `offset`. */
function settleSigned(
  { scales, inverses, offsets }: Groups,
  first: number,
  out: Uint8Array,
  { at, count, half, offset }: { at: number; count: number; half: number; offset: number },
): void {
  let extreme = 0;
  for (let i = first; i < first + count; i++) if (Math.abs(scales[i]!) > Math.abs(extreme)) extreme = scales[i]!;
  // The scale of the greatest magnitude becomes −half: there is no such positive multiple.
  const d = writeHalf(out, at, extreme / -half);
  const inverse = inverseOf(d);
  for (let i = 0; i < count; i++) {
    const subScale = nearestCode(scales[first + i]! * inverse + half, 2 * half - 1);
    subScales[i] = subScale;
    inverses[first + i] = inverseOf(d * (subScale - half));
    offsets[first + i] = offset;
  }
}

const three: Recipe = {
  fit: (weighing = "square") => ({
    kind: "scale",
    group: 16,
    weighing,
    rounding: { half: 4 },
    tries: [
      { first: -4.9, step: 0.1, pairs: 9 },
      { first: 2.6, step: 0.1, pairs: 8 },
    ],
    rounds: 3,
  }),
  codes: { group: 16, last: 7 },
  settle(groups, first, out, at) {
    settleSigned(groups, first, out, { at: at + 108, count: 16, half: 32, offset: 4 });
    for (let i = 0; i < 8; i++) out[at + 96 + i] = (subScales[i]! & 15) | ((subScales[i + 8]! & 15) << 4);
    for (let i = 0; i < 4; i++) {
      out[at + 104 + i] =
        (subScales[i]! >> 4) |
        ((subScales[i + 4]! >> 4) << 2) |
        ((subScales[i + 8]! >> 4) << 4) |
        ((subScales[i + 12]! >> 4) << 6);
    }
  },
  pack(codes, from, out, at) {
    for (let i = 0; i < 32; i++) {
      let bits = 0;
      for (let plane = 0; plane < 8; plane++) bits |= (codes[from + plane * 32 + i]! >> 2) << plane;
      out[at + i] = bits;
    }
    packPlanes(codes, from, out, at + 32);
  },
};

const six: Recipe = {
  fit: (weighing = "square") => ({
    kind: "scale",
    group: 16,
    weighing,
    rounding: { half: 32 },
    tries: [{ first: -32.9, step: 0.1, pairs: 9 }],
    rounds: 1,
  }),
  codes: { group: 16, last: 63 },
  settle(groups, first, out, at) {
    settleSigned(groups, first, out, { at: at + 208, count: 16, half: 128, offset: 32 });
    for (let i = 0; i < 16; i++) out[at + 192 + i] = subScales[i]! - 128;
  },
  pack(codes, from, out, at) {
    for (let half = 0; half < 2; half++) {
      const low = from + half * 128;
      for (let i = 0; i < 64; i++) {
        out[at + half * 64 + i] = (codes[low + i]! & 15) | ((codes[low + i + 64]! & 15) << 4);
      }
      for (let i = 0; i < 32; i++) {
        out[at + 128 + half * 32 + i] =
          (codes[low + i]! >> 4) |
          ((codes[low + i + 32]! >> 4) << 2) |
          ((codes[low + i + 64]! >> 4) << 4) |
          ((codes[low + i + 96]! >> 4) << 6);
      }
    }
  },
};

export const kRecipes = {
  Q2_K: two,
  Q3_K: three,
  Q4_K: withMins(15, (codes, from, out, at) => packHalves(codes, from, out, at + 16)),
  Q5_K: withMins(31, (codes, from, out, at) => {
    packFifths(codes, from, out, at + 16);
    packHalves(codes, from, out, at + 48);
  }),
  Q6_K: six,
} satisfies Record<string, Recipe>;
