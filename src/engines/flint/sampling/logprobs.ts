import type { Candidates } from "./candidates.ts";
import { candidatesFor, collectTop, noFloor } from "./candidates.ts";
import { exponential } from "./exponential.ts";

export interface TokenChance {
  readonly token: number;
  /** Natural logarithm of the probability. */
  readonly logprob: number;
}

export interface Logprobs {
  readonly logprob: number;
  /** The likeliest tokens first; the lowest id first where they are equal. */
  readonly top: readonly TokenChance[];
}

/**
 * The log-softmax of a token in a row of logits as the model wrote them, and the `top` likeliest tokens. The same for
 * a row of the prompt and for one of the answer.
 */
export function logprobsOf(row: Float32Array, token: number, top: number): Logprobs {
  const total = logTotal(row);
  const entries = top > 0 ? likeliest(row, top).map((entry) => ({ ...entry, logprob: entry.logprob - total })) : [];
  return { logprob: (row[token] ?? -Infinity) - total, top: entries };
}

/** The place of a token among all of a row: 1 is the likeliest, and of equal ones the lowest id comes first. */
export function rankOf(row: Float32Array, token: number): number {
  const logit = row[token] ?? -Infinity;
  let rank = 1;
  for (let other = 0; other < row.length; other++) {
    const value = row[other] ?? -Infinity;
    if (value > logit || (value === logit && other < token)) rank++;
  }
  return rank;
}

function likeliest(row: Float32Array, count: number): TokenChance[] {
  const candidates = candidatesFor(row.length);
  collectTop(candidates, row, { mask: undefined, floor: noFloor }, Math.min(count, row.length));
  return sorted(candidates);
}

/** Logarithm of the sum of all exponentials. */
function logTotal(row: Float32Array): number {
  let highest = -Infinity;
  for (let token = 0; token < row.length; token++) {
    const logit = row[token] ?? -Infinity;
    if (logit > highest) highest = logit;
  }
  let sum = 0;
  for (let token = 0; token < row.length; token++) sum += exponential((row[token] ?? -Infinity) - highest);
  return highest + Math.log(sum);
}

function sorted({ tokens, logits, count }: Candidates): TokenChance[] {
  return Array.from({ length: count }, (_, index) => ({ token: tokens[index] ?? 0, logprob: logits[index] ?? 0 })).sort(
    (a, b) => b.logprob - a.logprob || a.token - b.token,
  );
}
