import type { Candidates } from "./candidates.ts";
import { collectAll, collectTop, findHighest, noFloor } from "./candidates.ts";
import type { SamplingPlan } from "./plan.ts";
import type { Random } from "./random.ts";
import { keepCount, keepWeight, keepWhere, weigh } from "./select.ts";

/** Up to this many of the likeliest tokens are found with a heap in one pass. */
const mostInHeap = 512;

/**
 * Narrows a row of logits down to the candidates that a token is drawn from, with their weights: top-n-sigma, top-k,
 * typical, top-p, min-p, XTC, temperature, in the order and with the meaning that llama.cpp gives them.
 */
export function narrow(
  candidates: Candidates,
  row: Float32Array,
  mask: Uint32Array | undefined,
  { plan, random }: { readonly plan: SamplingPlan; readonly random: Random },
): void {
  const { topK, topP, minP, typicalP, topNSigma, xtc, temperature } = plan;
  const choice = { mask, floor: topNSigma > 0 ? sigmaFloor(row, mask, topNSigma) : noFloor };
  if (topK <= mostInHeap) collectTop(candidates, row, choice, topK);
  else {
    // Where nothing before it needs the sum of all, min-p is a floor like another.
    if (minP > 0 && topP >= 1 && typicalP >= 1) {
      choice.floor = Math.max(choice.floor, minFloor(row[findHighest(row, mask)] ?? 0, minP));
    }
    collectAll(candidates, row, choice);
    keepTop(candidates, topK);
  }
  if (typicalP < 1) keepTypical(candidates, typicalP);
  if (topP < 1) keepLikely(candidates, topP);
  if (minP > 0) {
    refreshHighest(candidates);
    const floor = minFloor(candidates.highest, minP);
    keepWhere(candidates, (index) => (candidates.logits[index] ?? 0) >= floor);
  }
  if (xtc && candidates.count > 1 && random.next() <= xtc.probability) excludeTop(candidates, xtc.threshold);
  weigh(candidates, temperature);
}

/** Draws a candidate by its weight; returns its index. */
export function draw({ weights, total, count }: Candidates, random: Random): number {
  let rest = random.next() * total;
  let chosen = 0;
  for (let index = 0; index < count; index++) {
    const weight = weights[index] ?? 0;
    if (weight === 0) continue;
    chosen = index;
    rest -= weight;
    if (rest < 0) break;
  }
  return chosen;
}

function refreshHighest(candidates: Candidates): void {
  candidates.highest = -Infinity;
  for (let index = 0; index < candidates.count; index++) {
    candidates.highest = Math.max(candidates.highest, candidates.logits[index] ?? 0);
  }
}

function minFloor(highest: number, minP: number): number {
  return highest + Math.log(minP);
}

/** Deviations are those of the allowed tokens from their mean. */
function sigmaFloor(row: Float32Array, mask: Uint32Array | undefined, sigmas: number): number {
  let [count, sum, squares, highest] = [0, 0, 0, -Infinity];
  for (let token = 0; token < row.length; token++) {
    const logit = row[token] ?? -Infinity;
    if (!(Math.abs(logit) < Infinity) || (mask && !(((mask[token >>> 5] ?? 0) >>> (token & 31)) & 1))) continue;
    count++;
    sum += logit;
    squares += logit * logit;
    if (logit > highest) highest = logit;
  }
  if (count === 0) return noFloor;
  const variance = Math.max(0, squares / count - (sum / count) ** 2);
  return highest - sigmas * Math.sqrt(variance);
}

export function keepTop(candidates: Candidates, most: number): void {
  if (candidates.count <= most) return;
  const { keys, logits, count } = candidates;
  for (let index = 0; index < count; index++) keys[index] = -(logits[index] ?? 0);
  keepCount(candidates, most);
}

/** Typical sampling (arXiv 2202.00666): those whose surprise is nearest to the expected one. */
function keepTypical(candidates: Candidates, share: number): void {
  weigh(candidates);
  const { keys, logits, weights, total, highest, count } = candidates;
  const surprise = (index: number): number => Math.log(total) - ((logits[index] ?? 0) - highest);
  let entropy = 0;
  for (let index = 0; index < count; index++) {
    const weight = weights[index] ?? 0;
    if (weight > 0) entropy += (weight / total) * surprise(index);
  }
  for (let index = 0; index < count; index++) keys[index] = Math.abs(surprise(index) - entropy);
  keepWeight(candidates, share * total);
}

/** Nucleus sampling (arXiv 1904.09751): the likeliest, until they have the share of the whole. */
function keepLikely(candidates: Candidates, share: number): void {
  weigh(candidates);
  const { keys, logits, weights, total } = candidates;
  // All that weigh less than this have less than the rest together, so none of them is needed.
  const least = (((1 - share) * total) / candidates.count) * 0.999;
  keepWhere(candidates, (index) => (weights[index] ?? 0) >= least);
  for (let index = 0; index < candidates.count; index++) keys[index] = -(logits[index] ?? 0);
  keepWeight(candidates, share * total);
}

/** XTC: of those that pass the threshold only the least likely stays. */
function excludeTop(candidates: Candidates, threshold: number): void {
  weigh(candidates);
  const { logits, weights, tokens, total, count } = candidates;
  const passes = (index: number): boolean => (weights[index] ?? 0) >= threshold * total;
  let last = -1;
  for (let index = 0; index < count; index++) {
    if (!passes(index)) continue;
    const difference = last < 0 ? -1 : (logits[index] ?? 0) - (logits[last] ?? 0);
    if (difference < 0 || (difference === 0 && (tokens[index] ?? 0) > (tokens[last] ?? 0))) last = index;
  }
  const stays = tokens[last];
  keepWhere(candidates, (index) => tokens[index] === stays || !passes(index));
}
