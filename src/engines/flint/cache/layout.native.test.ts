/** A model whose keys and values are kept in 8 bits. */
import { describe, expect, it } from "vitest";
import { distance, highest } from "../__fixtures__/distance.ts";
import { fixtureBytes, generateFixtures } from "../__fixtures__/fixtures.ts";
import type { GenerateFixture } from "../__fixtures__/fixtures.ts";
import { openInline } from "../inline.ts";
import type { CacheTypes } from "./layout.ts";
import { cacheTypes, keyBlockBytes, valueBlockBytes } from "./layout.ts";

const f16: CacheTypes = { keyType: "f16", valueType: "f16" };
const combinations = cacheTypes.flatMap((keyType) =>
  cacheTypes.map((valueType): CacheTypes => ({ keyType, valueType })),
);
const coded = combinations.filter(({ keyType, valueType }) => keyType !== "f16" || valueType !== "f16");
const names = new Set(["llama", "gemma2", "gemma3", "qwen3", "phi3-longrope"]);
const fixtures = generateFixtures().filter(({ name }) => names.has(name));

function logits({ prompts, ...fixture }: GenerateFixture, types: CacheTypes): Float32Array[] {
  return prompts.flatMap(({ tokens, contextTokens }) =>
    openInline(fixtureBytes({ prompts, ...fixture }), { contextTokens, cacheTypes: types }).step({ tokens }),
  );
}

describe("a model with a cache in 8 bits", () => {
  it.each(fixtures)("has nearly the logits that it has in f16, and mostly the same best token: $name", (fixture) => {
    const whole = logits(fixture, f16);
    for (const types of coded) {
      const rows = logits(fixture, types);
      expect(distance(rows, whole)).toBeGreaterThan(0);
      expect(distance(rows, whole)).toBeLessThan(0.03);
      const equal = rows.filter((row, index) => highest(row) === highest(whole[index]));
      expect(equal.length / rows.length).toBeGreaterThan(0.9);
    }
  });

  it("takes 34 bytes for 32 numbers, as ggml's Q8_0 does", () => {
    const shape = { keyHeads: 4, headWidth: 64, valueWidth: 96 };
    expect(keyBlockBytes({ ...shape, keyType: "q8_0" })).toBe(4 * 64 * 32 * (34 / 32));
    expect(valueBlockBytes({ ...shape, valueType: "q8_0" })).toBe(4 * 96 * 32 * (34 / 32));
    expect(keyBlockBytes({ ...shape, keyType: "f16" })).toBe(4 * 64 * 32 * 2);
  });

  it("has a scale for what is left of a head that 32 does not divide", () => {
    expect(keyBlockBytes({ keyHeads: 1, headWidth: 80, keyType: "q8_0" })).toBe(32 * (80 + 3 * 2));
  });
});
