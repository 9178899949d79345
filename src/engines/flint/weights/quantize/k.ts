import type { EncodeBlock, KType } from "./code.ts";
import { inverseOf, nearestCode, writeHalf } from "./code.ts";
import { fitSymmetric, fitWithMin } from "./fit.ts";

// Super-blocks of 256 weights; `codecs/k.ts` says how they lie.

/** The codes, sub-scales and sub-mins of the super-block at work. */
const codes = new Uint8Array(256);
const subScales = new Uint8Array(8);
const subMins = new Uint8Array(8);

/** Q4_K (`last` 15) and Q5_K (`last` 31). */
function withMins(last: 15 | 31): EncodeBlock {
  return (weights, from, out, at) => {
    chooseCodes(weights, from, out, { at, last });
    for (let i = 0; i < 4; i++) {
      out[at + 4 + i] = subScales[i]! | ((subScales[i + 4]! >> 4) << 6);
      out[at + 8 + i] = subMins[i]! | ((subMins[i + 4]! >> 4) << 6);
      out[at + 12 + i] = (subScales[i + 4]! & 15) | ((subMins[i + 4]! & 15) << 4);
    }
    if (last === 31) for (let i = 0; i < 256; i++) out[at + 16 + (i & 31)]! |= (codes[i]! >> 4) << (i >> 5);
    const nibbles = last === 31 ? at + 48 : at + 16;
    for (let i = 0; i < 128; i++) {
      const low = ((i >> 5) << 6) + (i & 31);
      out[nibbles + i] = (codes[low]! & 15) | ((codes[low + 32]! & 15) << 4);
    }
  };
}

/** Writes d and dmin; the rest is left in `codes`, `subScales` and `subMins`. */
function chooseCodes(
  weights: Float32Array,
  from: number,
  out: Uint8Array,
  { at, last }: { readonly at: number; readonly last: number },
): void {
  const fits = Array.from({ length: 8 }, (_, group) => fitWithMin(weights, from + group * 32, 32, last));
  const d = writeHalf(out, at, Math.max(...fits.map((fit) => fit.scale)) / 63);
  const dmin = writeHalf(out, at + 2, Math.max(...fits.map((fit) => fit.min)) / 63);
  for (const [group, fit] of fits.entries()) {
    const subScale = nearestCode(fit.scale * inverseOf(d), 63);
    const subMin = nearestCode(fit.min * inverseOf(dmin), 63);
    subScales[group] = subScale;
    subMins[group] = subMin;
    const inverse = inverseOf(d * subScale);
    const min = dmin * subMin;
    for (let i = group * 32; i < group * 32 + 32; i++)
      codes[i] = nearestCode((weights[from + i]! + min) * inverse, last);
  }
}

const encodeQ6: EncodeBlock = (weights, from, out, at) => {
  const scales = Float64Array.from({ length: 16 }, (_, group) => fitSymmetric(weights, from + group * 16, 16, 32));
  // The scale of the greatest magnitude becomes -128: there is no +128.
  const extreme = scales.reduce((most, scale) => (Math.abs(scale) > Math.abs(most) ? scale : most), 0);
  const d = writeHalf(out, at + 208, extreme / -128);
  for (let group = 0; group < 16; group++) {
    const subScale = nearestCode(scales[group]! * inverseOf(d) + 128, 255) - 128;
    out[at + 192 + group] = subScale;
    const inverse = inverseOf(d * subScale);
    for (let i = group * 16; i < group * 16 + 16; i++) codes[i] = nearestCode(weights[from + i]! * inverse + 32, 63);
  }
  writeSixBits(out, at);
};

function writeSixBits(out: Uint8Array, at: number): void {
  for (let half = 0; half < 2; half++) {
    for (let i = 0; i < 64; i++) {
      const near = codes[half * 128 + i]!;
      const far = codes[half * 128 + 64 + i]!;
      out[at + half * 64 + i] = (near & 15) | ((far & 15) << 4);
      // Pairs lie in planes of 32: weights 0 and 32 in the low half of a byte, 64 and 96 in the high half.
      out[at + 128 + half * 32 + (i & 31)]! |= ((near >> 4) | ((far >> 4) << 4)) << ((i >> 5) * 2);
    }
  }
}

export const kEncoders: Readonly<Record<KType, EncodeBlock>> = {
  Q4_K: withMins(15),
  Q5_K: withMins(31),
  Q6_K: encodeQ6,
};
