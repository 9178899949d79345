/** A row's result does not depend on what else is in its step: not in its last bit. */
import { describe, expect, it } from "vitest";
import { randomUniform } from "../../../test/make-weights.ts";
import { findFixture, fixtureBytes } from "./__fixtures__/fixtures.ts";
import { makeTyped } from "./__fixtures__/typed.ts";
import type { InlineModel, InlineOptions, InlinePart } from "./inline.ts";
import { openInline } from "./inline.ts";

const contextTokens = 64;
const parallel = 3;

type Next = () => number;

/** Texts of a few lengths, one for each sequence. */
function makeTexts(next: Next, vocabulary: number): number[][] {
  return Array.from({ length: parallel }, () =>
    Array.from({ length: 1 + Math.floor(next() * 44) }, () => Math.floor(next() * vocabulary)),
  );
}

/** Every text by itself, in one step. */
function readWhole(model: InlineModel, texts: readonly (readonly number[])[]): Float32Array[][] {
  return texts.map((tokens, sequence) => model.step({ sequence, tokens }));
}

/** All texts at once, in steps of pieces of any size. */
function readMixed(model: InlineModel, texts: readonly (readonly number[])[], next: Next): Float32Array[][] {
  const rows = texts.map((): Float32Array[] => []);
  const done = texts.map(() => 0);
  for (;;) {
    const parts: (Required<Pick<InlinePart, "sequence" | "position">> & InlinePart)[] = [];
    texts.forEach((tokens, sequence) => {
      const position = done[sequence] ?? 0;
      const most = next() < 0.3 ? 1 : 12;
      const length = Math.min(tokens.length - position, Math.floor(next() * (most + 1)));
      if (length > 0) parts.push({ sequence, position, tokens: tokens.slice(position, position + length) });
    });
    parts.sort(() => next() - 0.5);
    const results = parts.length > 0 ? model.step(...parts) : [];
    for (const { sequence, tokens, position } of parts) {
      rows[sequence]?.push(...results.splice(0, tokens.length));
      done[sequence] = position + tokens.length;
    }
    if (texts.every(({ length }, sequence) => done[sequence] === length)) return rows;
  }
}

function bits(rows: readonly (readonly Float32Array[])[]): number[][][] {
  return rows.map((texts) => texts.map((row) => [...new Int32Array(row.buffer, row.byteOffset, row.length)]));
}

function check(bytes: Uint8Array<ArrayBuffer>, vocabulary: number, options: Partial<InlineOptions> = {}): void {
  const model = openInline(bytes, { contextTokens, parallel, ...options });
  for (const seed of [1, 2, 3]) {
    const next = randomUniform(seed);
    const texts = makeTexts(next, vocabulary);
    const whole = bits(readWhole(model, texts));
    expect(bits(readMixed(model, texts, next))).toEqual(whole);
  }
}

describe("texts that are read together, in pieces, have the logits of each read alone and at once", () => {
  it.each(["llama", "gemma2", "qwen2moe", "phi3-longrope"])("%s", (name) => {
    const fixture = findFixture(name);
    check(fixtureBytes(fixture), fixture.vocabulary);
  });

  it.each(["llama", "gemma2", "phi3-longrope"])("%s, with a cache in 8 bits", (name) => {
    const fixture = findFixture(name);
    check(fixtureBytes(fixture), fixture.vocabulary, { cacheTypes: { keyType: "q8_0", valueType: "q8_0" } });
  });

  it.each(["Q4_0", "Q4_K"] as const)("a llama of the type %s", (type) => {
    check(makeTyped(type), 400);
  });
});
