import type { Candidates } from "./candidates.ts";
import { collectAll, noFloor } from "./candidates.ts";
import { draw, keepTop } from "./chain.ts";
import type { SamplingPlan } from "./plan.ts";
import type { Random } from "./random.ts";
import { keepWhere, weigh } from "./select.ts";

/** Tokens that version 1 estimates the shape of the distribution from. */
const estimated = 100;

export interface MirostatState {
  readonly plan: NonNullable<SamplingPlan["mirostat"]>;
  readonly temperature: number;
  /** The surprise, in bits, that a token may have. */
  most: number;
}

/**
 * Mirostat (arXiv 2007.14966): cuts the distribution so that the surprise of the tokens stays near `tau`. It stands in
 * for the whole chain behind the penalties. Leaves the candidates with their weights.
 */
export function narrowByMirostat(
  candidates: Candidates,
  row: Float32Array,
  mask: Uint32Array | undefined,
  { plan, temperature, most }: MirostatState,
): void {
  collectAll(candidates, row, { mask, floor: noFloor });
  weigh(candidates, temperature);
  if (plan.version === 1) {
    keepTop(candidates, mostTokens(candidates, temperature, most));
  } else {
    const { logits, weights, total, highest } = candidates;
    const least = total * 2 ** -most;
    keepWhere(candidates, (index) => (weights[index] ?? 0) >= least || logits[index] === highest);
  }
  weigh(candidates, temperature);
}

/** Draws a candidate and learns from its surprise; returns its index. */
export function drawByMirostat(candidates: Candidates, random: Random, state: MirostatState): number {
  const index = draw(candidates, random);
  const surprise = -Math.log2((candidates.weights[index] ?? 0) / candidates.total);
  state.most -= state.plan.eta * (surprise - state.plan.tau);
  return index;
}

/** Version 1: how many of the likeliest have that surprise, if probabilities fall as Zipf's law says. */
function mostTokens(candidates: Candidates, temperature: number, most: number): number {
  const all = candidates.count;
  keepTop(candidates, estimated);
  const highest = candidates.logits.slice(0, candidates.count).sort().toReversed();
  // The rest lies behind them, unchanged.
  candidates.count = all;
  let [dots, squares] = [0, 0];
  for (let index = 0; index + 1 < highest.length; index++) {
    const step = Math.log((index + 2) / (index + 1));
    const fall = ((highest[index] ?? 0) - (highest[index + 1] ?? 0)) / temperature;
    dots += step * fall;
    squares += step * step;
  }
  const slope = squares > 0 ? dots / squares : 1;
  const excess = slope - 1;
  const count = ((excess * 2 ** most) / (1 - all ** -excess)) ** (1 / slope);
  return Number.isFinite(count) ? Math.max(1, Math.floor(count)) : all;
}
