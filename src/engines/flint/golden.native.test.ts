/** The kernels against Hugging Face transformers, and against the reference graph with the cache that they have. */
import { describe, expect, it } from "vitest";
import { distance, highest } from "./__fixtures__/distance.ts";
import type { EncoderFixture, EncoderGolden, Fixture, GenerateGolden } from "./__fixtures__/fixtures.ts";
import { encoderFixtures, fixtureBytes, generateFixtures } from "./__fixtures__/fixtures.ts";
import { openModel, openReference } from "./__fixtures__/open.ts";
import type { InlineModel } from "./inline.ts";
import { openInline } from "./inline.ts";

/** The cache keeps 11 bits of keys and values. */
const goldenTolerance = 2e-3;
/** Sums are float32, and a key or value may be rounded the other way. */
const referenceTolerance = 5e-4;

function continueGreedily(model: InlineModel, { tokens, greedy }: GenerateGolden): number[] {
  const [row] = model.step({ tokens, from: tokens.length - 1 });
  const chosen = [highest(row)];
  while (chosen.length < greedy.length) {
    const position = tokens.length + chosen.length - 1;
    chosen.push(highest(model.step({ tokens: chosen.slice(-1), position })[0]));
  }
  return chosen;
}

interface Wanted {
  readonly tokens: readonly number[];
  readonly contextTokens: number;
  readonly isOutput: (position: number) => boolean;
}

function referenceRows(fixture: Fixture, { tokens, contextTokens, isOutput }: Wanted): Float64Array[] {
  const model = openModel(fixtureBytes(fixture), fixture.name);
  const { reference } = openReference(model, contextTokens, Math.f16round);
  return reference.step(
    tokens.map((token, position) => ({ token, sequence: 0, position, output: isOutput(position) })),
  );
}

describe("every model that writes text", () => {
  it.each(generateFixtures())("has the logits of transformers and goes on as it does: $name", (fixture) => {
    for (const golden of fixture.prompts) {
      const { tokens, contextTokens, firstLogits, logits, greedy } = golden;
      const model = openInline(fixtureBytes(fixture), { contextTokens });
      const rows = model.step({ tokens, from: firstLogits });
      expect(distance(rows, logits)).toBeLessThan(goldenTolerance);
      const isOutput = (position: number): boolean => position >= firstLogits;
      expect(distance(rows, referenceRows(fixture, { tokens, contextTokens, isOutput }))).toBeLessThan(
        referenceTolerance,
      );
      expect(continueGreedily(model, golden)).toEqual(greedy);
    }
  });
});

describe("the logprobs of a prompt", () => {
  it.each(generateFixtures())(
    "are the log-softmax of transformers' logits, in parts of a few rows: $name",
    (fixture) => {
      for (const { tokens, contextTokens, firstLogits, logits } of fixture.prompts) {
        const from = firstLogits + 1;
        const model = openInline(fixtureBytes(fixture), { contextTokens });
        const { logprobs, ranks, topTokens, topLogprobs } = model.score({ tokens, from, top: 1, rows: () => 7 });
        const rows = logits.slice(0, -1);
        const largest = Math.max(...rows.map((row) => Math.max(...row.map(Math.abs))));
        const closeTo = (value: number | undefined, expected: number): void =>
          expect(Math.abs((value ?? NaN) - expected)).toBeLessThan(2 * goldenTolerance * largest);
        expect(logprobs).toHaveLength(rows.length);
        rows.forEach((row, index) => {
          const token = tokens[from + index] ?? 0;
          closeTo(logprobs[index], logSoftmax(row, token));
          closeTo(topLogprobs[index], logSoftmax(row, highest(row)));
          expect(ranks[index] === 1).toBe(topTokens[index] === token);
        });
      }
    },
  );
});

function logSoftmax(row: ArrayLike<number>, token: number): number {
  const logits = Array.from(row);
  const highestLogit = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - highestLogit), 0);
  return (row[token] ?? NaN) - highestLogit - Math.log(sum);
}

describe("every encoder", () => {
  it.each(encoderFixtures())("has the output of transformers: $name", (fixture) => {
    for (const golden of fixture.prompts) {
      const { tokens, contextTokens } = golden;
      const rank = fixture.kind === "rank";
      const model = openInline(fixtureBytes(fixture), { contextTokens });
      const rows = model.step({ tokens, to: rank ? 1 : tokens.length });
      expect(encoderDistance(rows, golden, fixture)).toBeLessThan(goldenTolerance);
      const isOutput = (position: number): boolean => position === 0;
      expect(distance(rows, referenceRows(fixture, { tokens, contextTokens, isOutput }))).toBeLessThan(
        referenceTolerance,
      );
    }
  });
});

/** The largest distance from any of the golden results there are. */
function encoderDistance(
  rows: readonly Float32Array[],
  golden: EncoderGolden,
  { kind, pooling }: EncoderFixture,
): number {
  if (kind === "rank") return distance(rows, [[golden.score ?? NaN]]);
  const pooled = pooling === "cls" ? rows.slice(0, 1) : [mean(rows)];
  const ofStates = golden.hidden ? distance(rows, golden.hidden) : 0;
  return Math.max(ofStates, distance(pooled, [golden.embedding ?? []]));
}

function mean(rows: readonly Float32Array[]): Float32Array {
  const sum = (at: number): number => rows.reduce((total, row) => total + (row[at] ?? 0), 0);
  return (rows[0] ?? new Float32Array()).map((_, at) => sum(at) / rows.length);
}
