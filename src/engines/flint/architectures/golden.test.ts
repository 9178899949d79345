import { describe, expect, it } from "vitest";
import { encoderFixtures, fixtureBytes, generateFixtures } from "../__fixtures__/fixtures.ts";
import { openModel, openReference } from "../__fixtures__/open.ts";
import type { ReferenceRow } from "../graph/reference.ts";

/** Both sides are exact but for the float32 of transformers. */
const tolerance = 1e-4;

function rowsOf(tokens: readonly number[], isOutput: (position: number) => boolean): ReferenceRow[] {
  return tokens.map((token, position) => ({ token, sequence: 0, position, output: isOutput(position) }));
}

/** Greatest distance, relative to the greatest value. NaN where a value is missing. */
function distance(rows: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  expect(rows.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  const values = expected.flatMap((row) => Array.from(row));
  const apart = rows.flatMap((row) => Array.from(row)).map((value, index) => Math.abs(value - (values[index] ?? NaN)));
  return Math.max(...apart) / Math.max(...values.map(Math.abs));
}

function mean(rows: readonly Float64Array[]): Float64Array {
  const sum = (at: number): number => rows.reduce((total, row) => total + (row[at] ?? 0), 0);
  return (rows[0] ?? new Float64Array()).map((_, at) => sum(at) / rows.length);
}

describe("every model that writes text", () => {
  it.each(generateFixtures())("has the logits of transformers: $name", (fixture) => {
    const model = openModel(fixtureBytes(fixture), fixture.name);
    for (const { tokens, contextTokens, firstLogits, logits } of fixture.prompts) {
      const { reference } = openReference(model, contextTokens);
      const rows = reference.step(rowsOf(tokens, (position) => position >= firstLogits));
      expect(distance(rows, logits)).toBeLessThan(tolerance);
    }
  });
});

const encoders = encoderFixtures();

describe("every encoder", () => {
  it.each(encoders.filter(({ kind }) => kind === "embed"))("has the vectors of transformers: $name", (fixture) => {
    const model = openModel(fixtureBytes(fixture), fixture.name);
    for (const { tokens, contextTokens, hidden, embedding } of fixture.prompts) {
      const { reference, hyperparameters } = openReference(model, contextTokens);
      const rows = reference.step(rowsOf(tokens, () => false));
      expect(hyperparameters.pooling).toBe(fixture.pooling);
      expect(distance(rows, hidden ?? rows)).toBeLessThan(tolerance);
      const pooled = fixture.pooling === "cls" ? rows.slice(0, 1) : [mean(rows)];
      expect(distance(pooled, [embedding ?? []])).toBeLessThan(tolerance);
    }
  });

  it.each(encoders.filter(({ kind }) => kind === "rank"))("has the scores of transformers: $name", (fixture) => {
    const model = openModel(fixtureBytes(fixture), fixture.name);
    for (const { tokens, contextTokens, score } of fixture.prompts) {
      const { reference } = openReference(model, contextTokens);
      const scores = reference.step(rowsOf(tokens, (position) => position === 0));
      expect(distance(scores, [[score ?? NaN]])).toBeLessThan(tolerance);
    }
  });
});
