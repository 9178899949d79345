import { expect, test } from "vitest";
import { randomNumbers } from "../../engines/flint/kernels/wasm/__fixtures__/instance.ts";
import { createMachine, createTrainMemory, createTrainModule } from "../train/machine.ts";
import { findLikeliest, likeliestBytes } from "./likeliest.ts";

test.each([
  { width: 1000, top: 10, temperature: 1 },
  { width: 37, top: 37, temperature: 2 },
])("the likeliest tokens of a row have their part of all of it: %o", ({ width, top, temperature }) => {
  const row = randomNumbers(width, 6, 4);
  const machine = createMachine(createTrainModule(), createTrainMemory(likeliestBytes(width)));
  const answer = { tokens: new Int32Array(top), probabilities: new Float32Array(top) };
  findLikeliest(machine, row, answer, { temperature, top });
  const sum = row.reduce((total, logit) => total + Math.exp(logit / temperature), 0);
  const expected = [...row.keys()].toSorted((a, b) => row[b]! - row[a]!).slice(0, top);
  expect([...answer.tokens].toSorted((a, b) => a - b)).toEqual(expected.toSorted((a, b) => a - b));
  for (const [index, token] of answer.tokens.entries()) {
    expect(answer.probabilities[index]).toBeCloseTo(Math.exp(row[token]! / temperature) / sum, 6);
  }
});
