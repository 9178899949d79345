/** Pictures whose rows see each other both ways, against transformers' Gemma 3. `scripts/golden/both_ways.py` wrote the numbers. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { distance } from "../__fixtures__/distance.ts";
import { findFixture, fixtureBytes } from "../__fixtures__/fixtures.ts";
import { openModel, openReference } from "../__fixtures__/open.ts";
import type { InlineModel } from "../inline.ts";
import { openInline } from "../inline.ts";
import { findRows, nameOf, pictureEnd } from "./names.ts";

interface Golden {
  readonly model: string;
  readonly tokens: readonly number[];
  readonly pictures: readonly { readonly start: number; readonly rows: string }[];
  readonly firstLogits: number;
  readonly logits: string;
}

const golden = JSON.parse(readFileSync(new URL("__fixtures__/gemma3.json", import.meta.url), "utf8")) as Golden;
const { firstLogits } = golden;
const fixture = findFixture(golden.model);
const bytes = fixtureBytes(fixture);

const floats = (base64: string): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
const cut = (all: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: all.length / width }, (_, row) => all.subarray(row * width, (row + 1) * width));

const pictures = golden.pictures.map(({ rows }, serial) => ({ serial, digest: String(serial), rows: floats(rows) }));
const names = golden.tokens.map((token, at) => {
  const serial = golden.pictures.findIndex(({ start, rows }) => {
    const count = floats(rows).length / fixture.hidden;
    return at >= start && at < start + count;
  });
  return serial < 0 ? token : nameOf(serial, at - (golden.pictures[serial]?.start ?? 0));
});
const rowOf = findRows(pictures, fixture.hidden);
const logits = cut(floats(golden.logits), fixture.vocabulary);

/** In one step each: from one index to the next. */
function inSteps(model: InlineModel, ...ends: readonly number[]): Float32Array[] {
  return ends.flatMap((end, index) => {
    const position = ends[index - 1] ?? 0;
    const from = Math.max(0, Math.min(firstLogits, end) - position);
    return model.step({ tokens: names.slice(position, end), rowOf, position, from });
  });
}

describe("pictures that are seen both ways", () => {
  it("give the logits of transformers in the reference", () => {
    const { reference } = openReference(openModel(bytes, fixture.name), 256);
    const rows = reference.step(
      names.map((name, position) => {
        const row = { token: Math.max(name, 0), sequence: 0, position, output: position >= firstLogits };
        return name < 0 ? { ...row, embedding: rowOf(name), reach: pictureEnd(names, position) } : row;
      }),
    );
    expect(distance(rows, logits)).toBeLessThan(1e-4);
  });

  it("and with kernels, whichever steps they come in", () => {
    // The cache keeps 11 bits of keys and values.
    const model = openInline(bytes, { contextTokens: 256 });
    const whole = inSteps(model, names.length);
    expect(distance(whole, logits)).toBeLessThan(2e-3);
    const [first = 0, second = 0] = golden.pictures.map(({ start }) => start);
    expect(distance(inSteps(model, first, second, second + 20, names.length), whole)).toBeLessThan(1e-6);
    // The cache had the first rows of a picture.
    model.step({ tokens: names.slice(0, 39), rowOf });
    const rest = model.step({ tokens: names.slice(32), rowOf, position: 32, from: firstLogits - 32 });
    expect(distance(rest, whole)).toBeLessThan(1e-6);
  });
});
