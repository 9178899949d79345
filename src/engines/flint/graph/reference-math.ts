/** The arithmetic of the reference graph, row by row. */
import type { Activation, AttentionOptions, Matrix, NormOptions, RopeOptions } from "./graph.ts";

/** y[n] = Σ_k w[n][k] x[k], with the rows of the matrix that are asked for. */
export function product(weights: ArrayLike<number>, { k, n, row = 0 }: Matrix, x: Float64Array): Float64Array {
  const y = new Float64Array(n);
  for (let out = 0; out < n; out++) {
    const start = (row + out) * k;
    let sum = 0;
    for (let at = 0; at < k; at++) sum += (weights[start + at] ?? 0) * (x[at] ?? 0);
    y[out] = sum;
  }
  return y;
}

export function activate(x: number, activation: Activation): number {
  switch (activation) {
    case "silu":
      return x / (1 + Math.exp(-x));
    case "gelu":
      return 0.5 * x * (1 + errorFunction(x / Math.SQRT2));
    case "gelu-tanh":
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case "gelu-quick":
      return x / (1 + Math.exp(-1.702 * x));
    case "relu":
      return Math.max(0, x);
    case "relu-squared":
      return Math.max(0, x) ** 2;
    case "sigmoid":
      return 1 / (1 + Math.exp(-x));
    case "tanh":
      return Math.tanh(x);
  }
}

/** By the series e^(-x²) Σ 2^n x^(2n+1) / (2n+1)!!, whose terms are all of one sign. */
function errorFunction(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export interface NormWeights extends Pick<NormOptions, "kind" | "epsilon" | "headWidth"> {
  readonly weights: ArrayLike<number> | undefined;
  readonly biases: ArrayLike<number> | undefined;
}

export function normRow(row: Float64Array, { kind, epsilon, headWidth, weights, biases }: NormWeights): Float64Array {
  const width = headWidth ?? row.length;
  const out = new Float64Array(row.length);
  for (let start = 0; start < row.length; start += width) {
    const part = row.subarray(start, start + width);
    const mean = kind === "layer" ? part.reduce((sum, element) => sum + element, 0) / width : 0;
    const variance = part.reduce((sum, element) => sum + (element - mean) ** 2, 0) / width;
    for (const [at, element] of part.entries()) {
      const index = weights && weights.length === width ? at : start + at;
      const normed = (element - mean) / Math.sqrt(variance + epsilon);
      out[start + at] = normed * (weights?.[index] ?? 1) + (biases?.[index] ?? 0);
    }
  }
  return out;
}

export interface Rotation {
  readonly rope: RopeOptions;
  readonly headWidth: number;
  readonly position: number;
  readonly factors: ArrayLike<number> | undefined;
  /** Cosine and sine of each pair, in place of those of the position. */
  readonly angles?: ArrayLike<number> | undefined;
  /** See `RopeOptions.sections`. */
  readonly place?: readonly number[] | undefined;
}

export function rotate(
  row: Float64Array,
  { rope, headWidth, position, place, factors, angles }: Rotation,
): Float64Array {
  const out = Float64Array.from(row);
  const half = rope.dimensions / 2;
  const [time = 0, line = 0] = rope.sections ?? [];
  const placeOf = (pair: number): number =>
    (rope.sections && place?.[pair < time ? 0 : pair < time + line ? 1 : 2]) ?? position;
  for (let start = 0; start < row.length; start += headWidth) {
    for (let pair = 0; pair < half; pair++) {
      const [left, right] = rope.pairing === "halves" ? [pair, pair + half] : [2 * pair, 2 * pair + 1];
      const angle = angleOf(rope, placeOf(pair), { pair, factor: factors?.[pair] ?? 1 });
      const cos = angles?.[2 * pair] ?? Math.cos(angle) * (rope.magnitude ?? 1);
      const sin = angles?.[2 * pair + 1] ?? Math.sin(angle) * (rope.magnitude ?? 1);
      const [a, b] = [row[start + left] ?? 0, row[start + right] ?? 0];
      out[start + left] = a * cos - b * sin;
      out[start + right] = a * sin + b * cos;
    }
  }
  return out;
}

function angleOf(rope: RopeOptions, position: number, { pair, factor }: { pair: number; factor: number }): number {
  const { base, dimensions, positionScale = 1, yarn } = rope;
  const angle = (position * base ** ((-2 * pair) / dimensions)) / factor;
  if (!yarn) return angle * positionScale;
  const share = yarnShare(rope, yarn, pair);
  return angle * (share + (1 - share) / yarn.factor);
}

/** How much of a frequency is kept as it was: 1 for those that turn often within the context of the training. */
function yarnShare({ base, dimensions }: RopeOptions, yarn: NonNullable<RopeOptions["yarn"]>, pair: number): number {
  const pairWithTurns = (turns: number): number =>
    (dimensions * Math.log(yarn.trainContext / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(0, Math.floor(pairWithTurns(yarn.betaFast)));
  const high = Math.min(dimensions - 1, Math.ceil(pairWithTurns(yarn.betaSlow)));
  const ramp = (pair - low) / Math.max(0.001, high - low);
  return (1 - Math.min(1, Math.max(0, ramp))) * yarn.extrapolation;
}

export interface CacheEntry {
  readonly position: number;
  /** All key heads, rotated. */
  readonly keys: Float64Array;
  readonly values: Float64Array;
}

export interface RowToAttend {
  readonly position: number;
  /** It sees those after it too, up to but without this one. */
  readonly reach?: number | undefined;
  /** Of its part of the step. */
  readonly start?: number | undefined;
  /** By position; it may have holes. */
  readonly entries: readonly CacheEntry[];
  readonly options: AttentionOptions;
}

export function attendRow(
  query: Float64Array,
  { position, start = 0, reach = 0, entries, options }: RowToAttend,
): Float64Array {
  const { heads, keyHeads, headWidth, valueWidth, scale, softCap } = options;
  const isAhead = (entry: CacheEntry): boolean => entry.position > position && entry.position < reach;
  const isIn = (entry: CacheEntry): boolean => entry.position >= start && entry.position < reach;
  const seen = entries.filter((entry) =>
    options.parts ? isIn(entry) : isSeen(entry.position - position, options) || isAhead(entry),
  );
  const out = new Float64Array(heads * valueWidth);
  for (let head = 0; head < heads; head++) {
    const keyHead = Math.floor(head / (heads / keyHeads));
    const scores = seen.map(({ keys }) => {
      let score = 0;
      for (let at = 0; at < headWidth; at++) {
        score += (query[head * headWidth + at] ?? 0) * (keys[keyHead * headWidth + at] ?? 0);
      }
      return softCap === undefined ? score * scale : softCap * Math.tanh((score * scale) / softCap);
    });
    const most = Math.max(...scores);
    const shares = scores.map((score) => Math.exp(score - most));
    const total = shares.reduce((sum, share) => sum + share, 0);
    for (const [index, { values }] of seen.entries()) {
      for (let at = 0; at < valueWidth; at++) {
        const share = (shares[index] ?? 0) / total;
        out[head * valueWidth + at] =
          (out[head * valueWidth + at] ?? 0) + share * (values[keyHead * valueWidth + at] ?? 0);
      }
    }
  }
  return out;
}

function isSeen(distance: number, { window, bidirectional }: AttentionOptions): boolean {
  if (bidirectional) return window === undefined || Math.abs(distance) <= Math.floor(window / 2);
  return distance <= 0 && (window === undefined || -distance < window);
}
