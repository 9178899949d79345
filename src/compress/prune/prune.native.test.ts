/** What `prune` makes, in llama.cpp and in flint. */
import type { Llama } from "node-llama-cpp";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSession, startLlama } from "../../../scripts/golden/llama.ts";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { cachedLibrary } from "../../../test/real-model.ts";
import { distance } from "../../engines/flint/__fixtures__/distance.ts";
import { fixtureBytes, generateFixtures } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { GenerateFixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openInline } from "../../engines/flint/inline.ts";
import { parseGguf } from "../../formats/gguf/parse.ts";
import { defaultText } from "../evaluate/text.ts";
import { collectIsolated, evaluateIsolated } from "../isolate.ts";
import type { Activations, Cuts } from "./contract.ts";
import { pruneModel } from "./prune.ts";

let llama: Llama;
beforeAll(async () => {
  llama = await startLlama();
});
afterAll(async () => {
  // The process ends soon: nobody waits for native threads that are slow to go.
  await Promise.race([llama.dispose(), new Promise((resolve) => setTimeout(resolve, 2000))]);
});

/** As if all columns had been the same. */
function evenActivations(bytes: Uint8Array<ArrayBuffer>, layers: number): Activations {
  const { tensors } = parseGguf(bytes, { name: "fixture" });
  const entries = tensors.map(
    ({ name, shape: [k = 1, , experts = 1] }) =>
      [name, { sums: new Float32Array(k * experts).fill(1), counts: new Float32Array(experts).fill(1) }] as const,
  );
  const file = { entries: new Map(entries), datasets: ["text.txt"], chunks: 1, chunkTokens: 512 };
  return { file, cosines: Array.from({ length: layers }, () => 0.9) };
}

async function pruneFixture(fixture: GenerateFixture, cuts: Cuts): Promise<string> {
  const bytes = fixtureBytes(fixture);
  const folder = temporaryFolder();
  const [source, out] = [join(folder, "source.gguf"), join(folder, "out.gguf")];
  writeFileSync(source, bytes);
  await pruneModel({ source, out, ...cuts, measure: async () => evenActivations(bytes, fixture.layers) });
  return out;
}

/** Greatest distance of the logits after a prompt, relative to the greatest of them. */
async function compareLogits(modelPath: string, tokens: readonly number[]): Promise<number> {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
  const session = await openSession(model, { contextTokens: 64, cache: "F16" });
  const theirs = await session.read(tokens);
  await session.dispose();
  await model.dispose();
  const flint = openInline(new Uint8Array(readFileSync(modelPath)), { contextTokens: 64 });
  return distance(flint.step({ tokens, from: tokens.length - 1 }), [theirs]);
}

const free = /^(llama|smollm3|qwen3|qwen3moe|gemma|gemma2|gemma3|granite|granitemoe)$/;

describe("a model of each family that was pruned", () => {
  test.each(generateFixtures())("gives the logits of flint in llama.cpp: $name", async (fixture) => {
    const experts = fixture.name.includes("moe") || fixture.name.includes("mixtral");
    const cuts: Cuts = {
      ...(free.test(fixture.architecture) && { heads: { part: 0.5 } }),
      ...(!experts && { channels: { part: 0.25 } }),
      // Their layers differ by number.
      ...(fixture.layers > 1 && { layers: { drop: [/gemma|smollm3/.test(fixture.name) ? fixture.layers - 1 : 0] } }),
      zeros: { keep: 2, of: 4, method: "wanda" },
    };
    const path = await pruneFixture(fixture, cuts);
    // llama.cpp takes GELU from a table of half floats, and rounds activations to half floats as the weights are.
    expect(await compareLogits(path, fixture.prompts[0]?.tokens ?? [])).toBeLessThan(5e-3);
  });
});

describe("TinyLlama without a quarter of its layers", () => {
  test("is a smaller model, worse by less than with other layers gone, and the same in llama.cpp", async () => {
    const installed = await cachedLibrary().pull("tinyllama");
    const source = installed.files.find(({ role }) => role === "weights")?.path ?? "";
    const folder = temporaryFolder();
    const whole = await defaultText();
    const text = { ...whole, text: whole.text.slice(0, 24_000) };
    const measure = async () => await collectIsolated(source, { name: "tinyllama", text, threads: 2, chunks: 8 });
    const [least, most] = [join(folder, "least.gguf"), join(folder, "most.gguf")];
    const report = await pruneModel({ source, out: least, layers: { part: 0.25 }, measure });
    expect(report.facts.layers).toMatchObject({ before: 22, after: 16 });
    // As many of those that turn most what goes through them, but for the first and the last ones.
    const order = [...(report.influence?.keys() ?? [])].slice(2, -2);
    const drop = order.toSorted((a, b) => (report.influence?.[b] ?? 0) - (report.influence?.[a] ?? 0)).slice(0, 6);
    await pruneModel({ source, out: most, layers: { drop } });
    const perplexities: number[] = [];
    for (const path of [least, most]) {
      const model = { name: path, path };
      const { perplexity } = await evaluateIsolated({
        model,
        text: { ...whole, text: whole.text.slice(-2600) },
        threads: 2,
        folder,
        tokens: 512,
      });
      perplexities.push(perplexity.value);
    }
    const [after = Infinity, worse = 0] = perplexities;
    expect(after).toBeLessThan(worse);
    const model = await llama.loadModel({ modelPath: least, gpuLayers: 0 });
    const tokens = model.tokenize(whole.text.slice(0, 150)).slice(0, 32);
    await model.dispose();
    // Both round activations to 8 bits, each in its own way.
    expect(await compareLogits(least, tokens)).toBeLessThan(0.05);
  }, 900_000);
});
