/**
 * Pictures of another size, as the processors of the models make them: what Pillow does. A pixel of the new size is a
 * weighted mean of those below it, in each direction by itself, first across; shrinking widens the filter. Between the two
 * directions numbers are rounded to 8 bits.
 */
import type { Picture, Size } from "../../media/image.ts";

export type Filter = "bilinear" | "bicubic" | "lanczos";

interface Kernel {
  /** Pixels to each side, at the same size. */
  readonly radius: number;
  readonly weight: (distance: number) => number;
}

const kernels: Readonly<Record<Filter, Kernel>> = {
  bilinear: { radius: 1, weight: (distance) => 1 - distance },
  // The cubic of Keys (1981) with a = -1/2.
  bicubic: {
    radius: 2,
    weight: (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2),
  },
  lanczos: { radius: 3, weight: (x) => sinc(x) * sinc(x / 3) },
};

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** For each pixel of a line: the first pixel that counts, and the weights of those from there on, `taps` for each. */
interface Weights {
  readonly taps: number;
  readonly firsts: Int32Array;
  readonly counts: Int32Array;
  readonly values: Float64Array;
}

/** Multiplications after which others get a turn: some ten milliseconds. */
const turnWork = 8_000_000;

export async function resample(picture: Picture, { width, height }: Size, filter: Filter): Promise<Picture> {
  let { data } = picture;
  const { channels } = picture;
  if (width !== picture.width) {
    const across = weightsOf(picture.width, width, kernels[filter]);
    data = await turns(
      { lines: picture.height, bytes: width * channels, work: width * channels * across.taps },
      (line, to) =>
        resampleLine(data.subarray(line * picture.width * channels), { weights: across, channels, step: channels }, to),
    );
  }
  if (height !== picture.height) {
    const down = weightsOf(picture.height, height, kernels[filter]);
    const source = data;
    data = await turns({ lines: height, bytes: width * channels, work: width * channels * down.taps }, (line, to) =>
      mixLines(source, { weights: down, line }, to),
    );
  }
  return { width, height, channels, data };
}

interface Work {
  readonly lines: number;
  /** Of a line. */
  readonly bytes: number;
  /** Multiplications of a line. */
  readonly work: number;
}

/** Makes line after line, and lets others have a turn now and then. */
async function turns(
  { lines, bytes, work }: Work,
  make: (line: number, to: Uint8ClampedArray) => void,
): Promise<Uint8Array> {
  const all = new Uint8ClampedArray(lines * bytes);
  let done = 0;
  for (let line = 0; line < lines; line++) {
    make(line, all.subarray(line * bytes, (line + 1) * bytes));
    if ((done += work) < turnWork) continue;
    done = 0;
    await new Promise((resolve) => setTimeout(resolve));
  }
  return new Uint8Array(all.buffer);
}

function weightsOf(from: number, to: number, { radius, weight }: Kernel): Weights {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const support = radius * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const weights = { taps, firsts: new Int32Array(to), counts: new Int32Array(to), values: new Float64Array(to * taps) };
  for (let pixel = 0; pixel < to; pixel++) {
    const center = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - support + 0.5));
    const count = Math.min(from, Math.floor(center + support + 0.5)) - first;
    let sum = 0;
    for (let tap = 0; tap < count; tap++) {
      const distance = Math.abs(first + tap + 0.5 - center) / stretch;
      const value = distance < radius ? weight(distance) : 0;
      weights.values[pixel * taps + tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < count; tap++) weights.values[pixel * taps + tap]! /= sum;
    weights.firsts[pixel] = first;
    weights.counts[pixel] = count;
  }
  return weights;
}

interface Line {
  readonly weights: Weights;
  readonly channels: number;
  readonly step: number;
}

/** A clamped array rounds by itself, but halves to even; half of a level more or less is all that it can differ. */
function resampleLine(from: Uint8Array, { weights, channels, step }: Line, to: Uint8ClampedArray): void {
  const { taps, firsts, counts, values } = weights;
  for (let pixel = 0; pixel < firsts.length; pixel++) {
    const start = firsts[pixel]! * step;
    const count = counts[pixel]!;
    const base = pixel * taps;
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let tap = 0, at = start + channel; tap < count; tap++, at += step) sum += from[at]! * values[base + tap]!;
      to[pixel * channels + channel] = sum;
    }
  }
}

/** One line of the new picture from those above and below its middle. */
function mixLines(
  from: Uint8Array,
  { weights, line }: { readonly weights: Weights; readonly line: number },
  to: Uint8ClampedArray,
): void {
  const { taps, firsts, counts, values } = weights;
  const sums = new Float64Array(to.length);
  for (let tap = 0; tap < counts[line]!; tap++) {
    const weight = values[line * taps + tap]!;
    const start = (firsts[line]! + tap) * to.length;
    for (let at = 0; at < to.length; at++) sums[at]! += from[start + at]! * weight;
  }
  to.set(sums);
}
