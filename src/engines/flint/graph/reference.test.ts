import { expect, it } from "vitest";
import { fixtureBytes, generateFixtures } from "../__fixtures__/fixtures.ts";
import { openModel, openReference } from "../__fixtures__/open.ts";
import type { OpenModel } from "../__fixtures__/open.ts";
import type { ReferenceRow } from "./reference.ts";

const first = [5, 9, 17, 33, 65, 12, 80, 41, 7, 19, 23, 90, 91, 92, 3, 4, 5, 6, 7, 8];
const second = [40, 41, 42, 99, 100, 7];

function rows(tokens: readonly number[], sequence: number, from = 0): ReferenceRow[] {
  return tokens.map((token, index) => ({ token, sequence, position: from + index, output: true }));
}

function open(name: string): OpenModel {
  const fixture = generateFixtures().find((one) => one.name === name);
  if (!fixture) throw new Error(`no fixture ${name}`);
  return openModel(fixtureBytes(fixture), name);
}

it.each(["gemma2", "qwen3moe"])("tokens of several sequences in one step do not see each other: %s", (name) => {
  const model = open(name);
  const together = openReference(model).reference.step([...rows(first, 0), ...rows(second, 1)]);
  const apart = [first, second].flatMap((tokens) => openReference(model).reference.step(rows(tokens, 0)));
  expect(together).toEqual(apart);
});

it.each(["gemma2", "llama3-rope"])("a text read in pieces has the logits of the whole: %s", (name) => {
  const model = open(name);
  const { reference } = openReference(model);
  const pieces = [0, 3, 11].map((start, index, starts) => rows(first.slice(start, starts[index + 1]), 0, start));
  expect(pieces.flatMap((piece) => reference.step(piece))).toEqual(openReference(model).reference.step(rows(first, 0)));
});

it("gives only the rows that were asked for", () => {
  const model = open("llama");
  const all = openReference(model).reference.step(rows(first, 0));
  const wanted = rows(first, 0).map((row) => ({ ...row, output: row.position % 7 === 0 }));
  expect(openReference(model).reference.step(wanted)).toEqual(all.filter((_, position) => position % 7 === 0));
});
