/** Greedy tokens are llama.cpp's, wherever its best logit is clear of the second. */
import type { Llama } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Agreement } from "../../../scripts/golden/greedy.ts";
import { compareGreedy, continueWith, cutPrompts } from "../../../scripts/golden/greedy.ts";
import { startLlama } from "../../../scripts/golden/llama.ts";
import { cachedLibrary } from "../../../test/real-model.ts";
import { highest } from "./__fixtures__/distance.ts";
import type { GenerateFixture } from "./__fixtures__/fixtures.ts";
import { fixtureBytes, generateFixtures, withFixtureFile } from "./__fixtures__/fixtures.ts";
import { perplexityText } from "./__fixtures__/perplexity.ts";
import type { InlineModel } from "./inline.ts";
import { openInline } from "./inline.ts";
import { createLocalFlint } from "./local.ts";
import { createRandom } from "./sampling/random.ts";

let llama: Llama;
beforeAll(async () => {
  llama = await startLlama();
});
afterAll(async () => {
  await llama.dispose();
});

describe("a tiny model of every family", () => {
  const parallel = 25;
  const count = 12;
  const contextTokens = 64;

  /** Reads the prompts one after the other, and goes on with all of them at once. */
  function continueAll(model: InlineModel, prompts: readonly (readonly number[])[]): number[][] {
    const chosen = prompts.map((tokens, sequence) =>
      model.step({ sequence, tokens, from: tokens.length - 1 }).map(highest),
    );
    for (let step = 1; step < count; step++) {
      const parts = chosen.map((tokens, sequence) => {
        return { sequence, tokens: tokens.slice(-1), position: (prompts[sequence]?.length ?? 0) + step - 1 };
      });
      model.step(...parts).forEach((row, sequence) => chosen[sequence]?.push(highest(row)));
    }
    return chosen;
  }

  function makePrompts({ vocabulary }: GenerateFixture): number[][] {
    const random = createRandom(1);
    const token = (): number => Math.floor(random.next() * vocabulary);
    return Array.from({ length: 200 }, () => Array.from({ length: 20 }, token));
  }

  /**
   * Both keep keys and values in 11 bits, which moves logits by up to a thousandth of the largest; llama.cpp takes GELU
   * from a table of half floats, and the tanh form of it.
   */
  const gapOf = ({ architecture, prompts }: GenerateFixture): number => {
    const largest = Math.max(...prompts.flatMap(({ logits }) => logits.map((row) => Math.max(...row.map(Math.abs)))));
    return largest * (architecture.startsWith("gemma") ? 0.03 : 0.005);
  };

  it.each(generateFixtures())("says what llama.cpp says to 200 prompts: $name", async (fixture) => {
    const prompts = makePrompts(fixture);
    const flint = openInline(fixtureBytes(fixture), { contextTokens, parallel });
    const chosen = new Map<readonly number[], readonly number[]>();
    for (let at = 0; at < prompts.length; at += parallel) {
      const group = prompts.slice(at, at + parallel);
      continueAll(flint, group).forEach((tokens, index) => chosen.set(group[index] ?? [], tokens));
    }
    const result = await withFixtureFile(fixture, async (modelPath): Promise<Agreement> => {
      const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
      const gap = gapOf(fixture);
      const ours = (prompt: readonly number[]): readonly number[] => chosen.get(prompt) ?? [];
      const agreement = await compareGreedy({ model, ours, prompts, count, gap, contextTokens });
      await model.dispose();
      return agreement;
    });
    expect(result).toMatchObject({ prompts: 200, tokens: 2400 });
    expect(result.clear).toBeGreaterThan(1900);
    // Which experts a row gets is decided by what is a jump: two that are nearly alike may be exchanged.
    expect(result.clearDifferences).toBeLessThanOrEqual(fixture.architecture.endsWith("moe") ? 2 : 0);
  });
});

describe("TinyLlama", () => {
  it("goes on as with llama.cpp", async () => {
    const library = cachedLibrary();
    const installed = await library.pull("tinyllama");
    const path = installed.files.find(({ role }) => role === "weights")?.path ?? "";
    const info = await library.inspect(installed);
    const flint = await createLocalFlint().load({ name: "tinyllama", path, info }, { contextTokens: 64, parallel: 1 });
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    const text = model.tokenize(perplexityText());
    const prompts = cutPrompts(text, { count: 20, length: 8, beginning: model.tokens.bos ?? undefined });
    // Activations of 8 bits move logits by some tenths.
    const options = { gap: 0.5, count: 10, contextTokens: 64, threads: 2 };
    const result = await compareGreedy({ model, ours: continueWith(flint), prompts, ...options });
    await Promise.all([flint.dispose(), model.dispose()]);
    expect(result).toMatchObject({ equalPrompts: 20, tokens: 200, clearDifferences: 0 });
    expect(result.clear).toBeGreaterThan(120);
  }, 900_000);
});
