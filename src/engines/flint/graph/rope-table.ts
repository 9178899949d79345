/** Angles of rotary position embedding (RoFormer, arXiv 2104.09864; YaRN, arXiv 2309.00071), for the rows of a step. */
import type { PlacedRope } from "./plan.ts";

/** Frequency of each pair of dimensions, and what cos and sin are multiplied with. */
export interface Frequencies {
  readonly values: Float64Array;
  readonly magnitude: number;
  /** Which of the directions a pair turns with; absent: all have one. */
  readonly directions?: Uint8Array;
}

/** `factors`: the tensor's divisors, where the rope has any. */
export function frequenciesOf(rope: PlacedRope, factors: Float32Array | undefined): Frequencies {
  const { dimensions, base, positionScale = 1, yarn, magnitude = 1 } = rope;
  const pairs = dimensions / 2;
  const values = new Float64Array(pairs);
  const ramp = yarn && yarnRamp(rope);
  for (let pair = 0; pair < pairs; pair++) {
    const plain = base ** ((-2 * pair) / dimensions) / (factors?.[pair] ?? 1);
    const kept = ramp ? (ramp[pair] ?? 0) * (yarn?.extrapolation ?? 1) : 0;
    const scaled = plain * (yarn ? 1 / yarn.factor : positionScale);
    values[pair] = ramp ? scaled * (1 - kept) + plain * kept : scaled;
  }
  return { values, magnitude, ...(rope.sections && { directions: directionsOf(rope.sections) }) };
}

function directionsOf(sections: readonly number[]): Uint8Array {
  return Uint8Array.from(sections.flatMap((pairs, direction) => Array<number>(pairs).fill(direction)));
}

/** How much of a pair's own frequency is kept: 1 for fast ones, 0 for slow ones. */
function yarnRamp({ dimensions, base, yarn }: PlacedRope): Float64Array {
  const ramp = new Float64Array(dimensions / 2);
  if (!yarn) return ramp;
  const { trainContext, betaFast, betaSlow } = yarn;
  const pairOf = (rotations: number): number =>
    (dimensions * Math.log(trainContext / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(0, Math.floor(pairOf(betaFast)));
  const high = Math.min(dimensions - 1, Math.ceil(pairOf(betaSlow)));
  for (let pair = 0; pair < ramp.length; pair++) {
    const share = (pair - low) / Math.max(0.001, high - low);
    ramp[pair] = 1 - Math.min(1, Math.max(0, share));
  }
  return ramp;
}

/**
 * Writes (cos, sin) of every pair for a row at `position`, or at a place in each direction; `at` is an index of float32
 * elements.
 */
export function writeAngles(
  floats: Float32Array,
  at: number,
  { values, magnitude, directions }: Frequencies,
  position: number | readonly number[],
): void {
  const one = typeof position === "number" ? position : 0;
  const places = typeof position === "number" ? undefined : position;
  for (let pair = 0; pair < values.length; pair++) {
    const angle = (places?.[directions?.[pair] ?? 0] ?? one) * (values[pair] ?? 0);
    floats[at + 2 * pair] = Math.cos(angle) * magnitude;
    floats[at + 2 * pair + 1] = Math.sin(angle) * magnitude;
  }
}
