/** Prompts with pictures against transformers. `scripts/golden/picture_prompts.py` wrote the numbers. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { distance } from "../__fixtures__/distance.ts";
import { findFixture, fixtureBytes } from "../__fixtures__/fixtures.ts";
import { openModel, openReference } from "../__fixtures__/open.ts";
import { renamed } from "../__fixtures__/renamed.ts";
import type { InlineModel } from "../inline.ts";
import { openInline } from "../inline.ts";
import { findRows, nameOf, pictureEnd } from "./names.ts";
import { createPlaces } from "./places.ts";

interface Golden {
  readonly model: string;
  readonly tokens: readonly number[];
  readonly pictures: readonly { readonly start: number; readonly columns: number; readonly rows: string }[];
  readonly firstLogits: number;
  readonly logits: string;
}

const floats = (base64: string): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
const cut = (all: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: all.length / width }, (_, row) => all.subarray(row * width, (row + 1) * width));

function open(name: string) {
  const path = new URL(`__fixtures__/${name}.json`, import.meta.url);
  const { model, tokens, pictures, firstLogits, logits } = JSON.parse(readFileSync(path, "utf8")) as Golden;
  const fixture = findFixture(model);
  const names: number[] = [...tokens];
  const placed = pictures.map(({ start, columns, rows: packed }, serial) => {
    const rows = floats(packed);
    for (let row = 0; row * fixture.hidden < rows.length; row++) names[start + row] = nameOf(serial, row);
    return { serial, digest: String(serial), rows, columns };
  });
  const placeOf = createPlaces(names, (serial) => placed[serial]?.columns ?? 1);
  return {
    bytes: fixtureBytes(fixture),
    starts: pictures.map(({ start }) => start),
    names,
    firstLogits,
    logits: cut(floats(logits), fixture.vocabulary),
    seen: { rowOf: findRows(placed, fixture.hidden), placeOf },
  };
}

type Opened = ReturnType<typeof open>;

/** In a step for each part, which goes from one index to the next. */
function inSteps(model: InlineModel, { names, firstLogits, seen }: Opened, ends: readonly number[]): Float32Array[] {
  return ends.flatMap((end, index) => {
    const position = ends[index - 1] ?? 0;
    const from = Math.max(0, Math.min(firstLogits, end) - position);
    return model.step({ tokens: names.slice(position, end), position, from, ...seen });
  });
}

function withReference({ names, firstLogits, seen }: Opened, bytes: Uint8Array<ArrayBuffer>): Float64Array[] {
  const { reference } = openReference(openModel(bytes, "golden"), 256);
  return reference.step(
    names.map((name, position) => {
      const place = seen.placeOf(position);
      const row = { token: Math.max(name, 0), sequence: 0, position, place, output: position >= firstLogits };
      return name < 0 ? { ...row, embedding: seen.rowOf(name), reach: pictureEnd(names, position) } : row;
    }),
  );
}

/** The cache keeps 11 bits of keys and values. */
const kernelTolerance = 2e-3;

describe("pictures that are seen both ways", () => {
  const golden = open("gemma3");
  const { bytes, names, starts, firstLogits, logits, seen } = golden;

  it("give the logits of transformers in the reference", () => {
    expect(distance(withReference(golden, bytes), logits)).toBeLessThan(1e-4);
  });

  it("and with kernels, whichever steps they come in", () => {
    const model = openInline(bytes, { contextTokens: 256 });
    const whole = inSteps(model, golden, [names.length]);
    expect(distance(whole, logits)).toBeLessThan(kernelTolerance);
    const [first = 0, second = 0] = starts;
    expect(distance(inSteps(model, golden, [first, second, second + 20, names.length]), whole)).toBeLessThan(1e-6);
    // The cache had the first rows of a picture.
    model.step({ tokens: names.slice(0, 39), ...seen });
    const rest = model.step({ tokens: names.slice(32), position: 32, from: firstLogits - 32, ...seen });
    expect(distance(rest, whole)).toBeLessThan(1e-6);
  });
});

describe("places in three directions", () => {
  const golden = open("qwen2vl");
  const sections = { type: "array", of: "int32", value: [2, 3, 3, 0] } as const;
  const bytes = renamed(golden.bytes, "qwen2vl", { "qwen2vl.rope.dimension_sections": sections });

  it("give the logits of transformers in the reference", () => {
    expect(distance(withReference(golden, bytes), golden.logits)).toBeLessThan(1e-4);
  });

  it("and with kernels, whichever steps they come in", () => {
    const model = openInline(bytes, { contextTokens: 256 });
    const whole = inSteps(model, golden, [golden.names.length]);
    expect(distance(whole, golden.logits)).toBeLessThan(kernelTolerance);
    expect(distance(inSteps(model, golden, [7, 25, 39, golden.names.length]), whole)).toBeLessThan(1e-6);
  });

  it("are the positions where there is no picture", () => {
    const tokens = golden.names.filter((name) => name >= 0);
    const [plain, rotated] = [golden.bytes, bytes].map((file) =>
      openInline(file, { contextTokens: 256 }).step({ tokens }),
    );
    expect(rotated).toEqual(plain);
  });
});
