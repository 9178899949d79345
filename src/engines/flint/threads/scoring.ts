/**
 * How likely a text is, from the results of steps that compute it part by part. Knows of no step and no cache: it says
 * what comes next, and takes what came out, so that its parts can run beside other work or alone.
 */
import { logprobsOf, rankOf } from "../sampling/logprobs.ts";

export interface ScoringOptions {
  readonly tokens: readonly number[];
  /** The first token that is scored, at least 1: nothing comes before token 0. */
  readonly from: number;
  /** So many of the likeliest tokens at each place. */
  readonly top: number;
  /** Room for float32: gets the logits before each scored token, a whole row for each. */
  readonly logits?: SharedArrayBuffer | undefined;
}

/** Of the tokens from `from` on, each given all those before it, in the order of the text. */
export interface Scores {
  /** Natural logarithm of the probability. */
  readonly logprobs: Float64Array;
  /** Place among all tokens; 1 is the likeliest. */
  readonly ranks: Int32Array;
  /** `top` for each token, the likeliest first; -1 where no more are possible. */
  readonly topTokens: Int32Array;
  readonly topLogprobs: Float64Array;
}

/** Tokens of one step. */
export interface ScoringPart {
  readonly tokens: readonly number[];
  /** Position of the first. */
  readonly position: number;
  /** Rows at its end whose logits are wanted. */
  readonly outputs: number;
}

export interface ScoringLimits {
  readonly rows: number;
  readonly outputs: number;
}

export interface Scoring {
  readonly scores: Scores;
  /** The part after those that `take` was told of; undefined: all is scored. The limits are at least 1. */
  next(limits: ScoringLimits): ScoringPart | undefined;
  /** The part was computed; `row` gives the logits of its outputs, in their order. */
  take(part: ScoringPart, row: (output: number) => Float32Array): void;
}

export function createScoring({ tokens, from, top, logits }: ScoringOptions): Scoring {
  const count = Math.max(0, tokens.length - from);
  const scores: Scores = {
    logprobs: new Float64Array(count),
    ranks: new Int32Array(count),
    topTokens: new Int32Array(count * top).fill(-1),
    topLogprobs: new Float64Array(count * top),
  };
  // The logits after the last token say what would come next, which nobody asks.
  const end = count === 0 ? 0 : tokens.length - 1;
  let at = 0;
  const score = (index: number, row: Float32Array): void => {
    const token = tokens[from + index] ?? 0;
    if (logits) new Float32Array(logits, index * row.byteLength, row.length).set(row);
    const found = logprobsOf(row, token, top);
    scores.logprobs[index] = found.logprob;
    scores.ranks[index] = rankOf(row, token);
    found.top.forEach((other, place) => {
      scores.topTokens[index * top + place] = other.token;
      scores.topLogprobs[index * top + place] = other.logprob;
    });
  };
  return {
    scores,
    next({ rows, outputs }) {
      if (at >= end) return undefined;
      const silent = Math.max(0, from - 1 - at);
      const to = Math.min(end, at + Math.min(rows, silent + outputs));
      return { tokens: tokens.slice(at, to), position: at, outputs: Math.max(0, to - at - silent) };
    },
    take(part, row) {
      at = part.position + part.tokens.length;
      for (let output = 0; output < part.outputs; output++) score(at - part.outputs + output + 1 - from, row(output));
    },
  };
}
