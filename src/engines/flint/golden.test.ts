/** The kernels against Hugging Face transformers, and against themselves: how rows are cut into steps changes nothing. */
import { describe, expect, it } from "vitest";
import type { EncoderGolden, GenerateFixture, GenerateGolden } from "./__fixtures__/fixtures.ts";
import { encoderFixtures, fixtureBytes, generateFixtures } from "./__fixtures__/fixtures.ts";
import type { InlineModel } from "./inline.ts";
import { openInline } from "./inline.ts";

/** Largest distance, relative to the largest value. The cache keeps 11 bits of keys and values; sums are float32. */
const tolerance = 1e-3;

function distance(rows: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  expect(rows.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  let apart = 0;
  let largest = 0;
  expected.forEach((row, index) => {
    for (let at = 0; at < row.length; at++) {
      const difference = Math.abs((rows[index]?.[at] ?? NaN) - (row[at] ?? NaN));
      apart = difference <= apart ? apart : Number.isNaN(difference) ? Infinity : difference;
      largest = Math.max(largest, Math.abs(row[at] ?? 0));
    }
  });
  return apart / largest;
}

function highest(row: Float32Array | undefined): number {
  return row ? row.indexOf(Math.max(...row)) : -1;
}

function continueGreedily(model: InlineModel, { tokens, greedy }: GenerateGolden): number[] {
  const [row] = model.step({ tokens, from: tokens.length - 1 });
  const chosen = [highest(row)];
  while (chosen.length < greedy.length) {
    const position = tokens.length + chosen.length - 1;
    chosen.push(highest(model.step({ tokens: chosen.slice(-1), position })[0]));
  }
  return chosen;
}

describe("every model that writes text", () => {
  it.each(generateFixtures())("has the logits of transformers and goes on as it does: $name", (fixture) => {
    const bytes = fixtureBytes(fixture);
    for (const golden of fixture.prompts) {
      const { tokens, contextTokens, firstLogits, logits, greedy } = golden;
      const model = openInline(bytes, { contextTokens });
      expect(distance(model.step({ tokens, from: firstLogits }), logits)).toBeLessThan(tolerance);
      expect(continueGreedily(model, golden)).toEqual(greedy);
    }
  });
});
