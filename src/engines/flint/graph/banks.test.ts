import { describe, expect, it } from "vitest";
import { fixtureBytes, generateFixtures } from "../__fixtures__/fixtures.ts";
import { openInline } from "../inline.ts";

const names = new Set(["llama", "gemma3", "mixtral", "qwen3"]);
const fixtures = generateFixtures().filter(({ name }) => names.has(name));

describe("a model that one memory does not hold", () => {
  it.each(fixtures)("gives the same logits from several: $name", (fixture) => {
    const bytes = fixtureBytes(fixture);
    const [golden] = fixture.prompts;
    if (!golden) throw new Error("a golden is needed");
    const options = { contextTokens: 64, batchTokens: 16 };
    const whole = openInline(bytes, options);
    const { weightBytes, activationBytes, cacheGroups } = whole.plan;
    const cacheBytes = cacheGroups.reduce((sum, { blocks, blockBytes }) => sum + blocks * blockBytes, 0);
    const half = (weightBytes + cacheBytes) * 0.55;
    const spread = openInline(bytes, { ...options, bankBytes: Math.ceil(activationBytes * 1.1 + half) + 70_000 });
    expect(whole.plan.bankBytes).toHaveLength(1);
    expect(spread.plan.bankBytes.length).toBeGreaterThan(1);
    const prompt = { tokens: golden.tokens.slice(0, 12) };
    const wanted = whole.step(prompt);
    expect(spread.step(prompt)).toEqual(wanted);
    const next = { tokens: golden.tokens.slice(0, 1), position: 12 };
    expect(spread.step(next)).toEqual(whole.step(next));
  });
});
