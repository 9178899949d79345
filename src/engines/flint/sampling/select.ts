import type { Candidates } from "./candidates.ts";
import { exponential } from "./exponential.ts";

/** Gives every candidate its softmax weight at a temperature. With +Infinity among the logits, those alone have one. */
export function weigh(candidates: Candidates, temperature = 1): void {
  const { logits, weights, count } = candidates;
  let highest = -Infinity;
  for (let index = 0; index < count; index++) highest = Math.max(highest, logits[index] ?? -Infinity);
  let total = 0;
  for (let index = 0; index < count; index++) {
    const logit = logits[index] ?? -Infinity;
    const weight = logit === highest ? 1 : exponential((logit - highest) / temperature);
    weights[index] = weight;
    total += weight;
  }
  candidates.highest = highest;
  candidates.total = total;
}

/** Keeps those that pass; weights and keys move with them. */
export function keepWhere(candidates: Candidates, passes: (index: number) => boolean): void {
  const { count } = candidates;
  let kept = 0;
  for (let index = 0; index < count; index++) {
    if (!passes(index)) continue;
    if (kept !== index) swap(candidates, kept, index);
    kept++;
  }
  candidates.count = kept;
}

/** Keeps the candidates with the lowest keys; the lowest ids where keys are equal. */
export function keepCount(candidates: Candidates, most: number): void {
  let [low, high] = [0, candidates.count - 1];
  if (candidates.count <= most) return;
  while (low < high) {
    const middle = partition(candidates, low, high);
    if (middle >= most) high = middle - 1;
    else low = middle + 1;
  }
  candidates.count = most;
}

/** Keeps the fewest candidates with the lowest keys whose weights reach `target`; at least one. */
export function keepWeight(candidates: Candidates, target: number): void {
  const { weights } = candidates;
  let [low, high] = [0, candidates.count - 1];
  let reached = 0;
  while (low < high) {
    const middle = partition(candidates, low, high);
    let before = 0;
    for (let index = low; index < middle; index++) before += weights[index] ?? 0;
    if (reached + before >= target) {
      high = middle - 1;
      continue;
    }
    reached += before + (weights[middle] ?? 0);
    low = middle + 1;
    if (reached >= target) high = middle;
  }
  // Where the search ended behind the one that reached the target, that was the last.
  candidates.count = Math.min(candidates.count, Math.max(1, low > high ? high + 1 : low + 1));
}

/** Puts one of the candidates at its place: lower ones before it, higher ones behind. */
function partition(candidates: Candidates, low: number, high: number): number {
  const { keys, tokens } = candidates;
  // Not the middle one: no order of logits that a model has a reason to produce makes this slow.
  swap(candidates, low + ((Math.imul(high - low, 0x9e3779b1) >>> 0) % (high - low + 1)), high);
  const key = keys[high] ?? 0;
  const token = tokens[high] ?? 0;
  let place = low;
  for (let index = low; index < high; index++) {
    const other = keys[index] ?? 0;
    if (other < key || (other === key && (tokens[index] ?? 0) < token)) swap(candidates, index, place++);
  }
  swap(candidates, place, high);
  return place;
}

function swap({ tokens, logits, weights, keys }: Candidates, left: number, right: number): void {
  if (left === right) return;
  const token = tokens[left] ?? 0;
  tokens[left] = tokens[right] ?? 0;
  tokens[right] = token;
  const logit = logits[left] ?? 0;
  logits[left] = logits[right] ?? 0;
  logits[right] = logit;
  const weight = weights[left] ?? 0;
  weights[left] = weights[right] ?? 0;
  weights[right] = weight;
  const key = keys[left] ?? 0;
  keys[left] = keys[right] ?? 0;
  keys[right] = key;
}
