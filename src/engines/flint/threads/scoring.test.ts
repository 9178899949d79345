import { describe, expect, it } from "vitest";
import type { Scores, ScoringLimits, ScoringOptions, ScoringPart } from "./scoring.ts";
import { createScoring } from "./scoring.ts";

const tokens = [3, 1, 2, 0, 1];

/** The model of this test: after position `p` token `t` has the logit (7p + 3t) mod 5. */
function rowAt(position: number): Float32Array {
  return Float32Array.from({ length: 4 }, (_, token) => (7 * position + 3 * token) % 5);
}

function logprobOf(position: number, token: number): number {
  const row = rowAt(position);
  return (row[token] ?? NaN) - Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
}

function run(
  options: Partial<ScoringOptions>,
  limits: ScoringLimits,
): { readonly parts: readonly ScoringPart[]; readonly scores: Scores } {
  const scoring = createScoring({ tokens, from: 1, top: 2, ...options });
  const parts: ScoringPart[] = [];
  for (let part = scoring.next(limits); part; part = scoring.next(limits)) {
    const { position, outputs, tokens: own } = part;
    const first = position + own.length - outputs;
    scoring.take(part, (output) => rowAt(first + output));
    parts.push(part);
  }
  return { parts, scores: scoring.scores };
}

const wide: ScoringLimits = { rows: 100, outputs: 100 };

describe("scoring a text", () => {
  it("gives each token's logprob and rank, and the likeliest at its place", () => {
    const { parts, scores } = run({}, wide);
    expect(parts).toEqual([{ tokens: [3, 1, 2, 0], position: 0, outputs: 4 }]);
    tokens.slice(1).forEach((token, position) => {
      expect(scores.logprobs[position]).toBeCloseTo(logprobOf(position, token), 6);
      const order = [0, 1, 2, 3].sort((a, b) => logprobOf(position, b) - logprobOf(position, a) || a - b);
      expect(scores.ranks[position]).toBe(order.indexOf(token) + 1);
      expect(scores.topTokens.slice(2 * position, 2 * position + 2)).toEqual(Int32Array.from(order.slice(0, 2)));
      expect(scores.topLogprobs[2 * position]).toBeCloseTo(logprobOf(position, order[0] ?? 0), 6);
    });
  });

  it.each([
    { rows: 1, outputs: 1 },
    { rows: 2, outputs: 1 },
    { rows: 3, outputs: 2 },
    { rows: 2, outputs: 9 },
  ])("is the same in parts of %o, and keeps to them", (limits) => {
    const { parts, scores } = run({ from: 2 }, limits);
    expect(parts.every(({ tokens: own, outputs }) => own.length <= limits.rows && outputs <= limits.outputs)).toBe(
      true,
    );
    expect(parts.flatMap((part) => part.tokens)).toEqual([3, 1, 2, 0]);
    expect(scores).toEqual(run({ from: 2 }, wide).scores);
  });

  it("asks for no logits before the first token that counts", () => {
    expect(run({ from: 3 }, wide).parts).toEqual([{ tokens: [3, 1, 2, 0], position: 0, outputs: 2 }]);
    expect(run({ from: 4 }, { rows: 2, outputs: 2 }).parts.map(({ outputs }) => outputs)).toEqual([0, 1]);
  });

  it("computes nothing where nothing is asked", () => {
    expect(run({ tokens: [3] }, wide)).toMatchObject({ parts: [], scores: { logprobs: new Float64Array(0) } });
    expect(run({ from: 5 }, wide).parts).toEqual([]);
  });

  it("has as many of the likeliest as there are tokens", () => {
    const { topTokens } = run({ tokens: [0, 1], top: 6 }, wide).scores;
    expect(topTokens.toSorted()).toEqual(Int32Array.of(-1, -1, 0, 1, 2, 3));
  });
});
