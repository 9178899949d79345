/** Files that `convert` makes of folders, in llama.cpp and in flint. */
import type { Llama } from "node-llama-cpp";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSession, startLlama } from "../../../scripts/golden/llama.ts";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { distance } from "../../engines/flint/__fixtures__/distance.ts";
import { encoderFixtures, fixtureBytes, generateFixtures } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { Fixture, GenerateFixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openInline } from "../../engines/flint/inline.ts";
import { convert } from "./convert.ts";
import type { ConvertType } from "./convert.ts";

let llama: Llama;
beforeAll(async () => {
  llama = await startLlama();
});
afterAll(async () => {
  // The process ends soon: nobody waits for native threads that are slow to go.
  await Promise.race([llama.dispose(), new Promise((resolve) => setTimeout(resolve, 2000))]);
});

/** A fixture as a folder, and that as a file. */
async function makeFile(fixture: Fixture, type: ConvertType): Promise<string> {
  const folder = temporaryFolder();
  const [source, checkpoint, file] = ["a.gguf", "folder", "b.gguf"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(source, fixtureBytes(fixture));
  await convert({ source, out: checkpoint });
  await convert({ source: checkpoint, out: file, type });
  return file;
}

/** Greatest distance of the logits after a prompt, relative to the greatest of them. */
async function compareLogits(fixture: GenerateFixture, type: ConvertType): Promise<number> {
  const modelPath = await makeFile(fixture, type);
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
  const flint = openInline(new Uint8Array(readFileSync(modelPath)), { contextTokens: 64 });
  const session = await openSession(model, { contextTokens: 64, cache: "F16" });
  const tokens = fixture.prompts[0]?.tokens ?? [];
  const theirs = await session.read(tokens);
  const ours = flint.step({ tokens, from: tokens.length - 1 });
  await session.dispose();
  await model.dispose();
  return distance(ours, [theirs]);
}

describe("a folder that became a file", () => {
  test.each(generateFixtures())("gives the logits of flint in llama.cpp: $name", async (fixture) => {
    // llama.cpp takes GELU from a table of half floats.
    const tolerance = fixture.architecture.startsWith("gemma") ? 5e-3 : 1e-3;
    expect(await compareLogits(fixture, "f32")).toBeLessThan(tolerance);
  });

  const some = generateFixtures().filter(({ name }) => ["llama", "qwen3moe", "phi3"].includes(name));
  test.each(some)("gives them as F16 too: $name", async (fixture) => {
    // There llama.cpp rounds the activations to half floats as well; these tiny models make most of that.
    expect(await compareLogits(fixture, "f16")).toBeLessThan(5e-3);
  });

  test.each(encoderFixtures())("is read by llama.cpp: $name", async (fixture) => {
    const model = await llama.loadModel({ modelPath: await makeFile(fixture, "f16"), gpuLayers: 0 });
    expect(model.fileInfo.metadata.general.architecture).toBe(fixture.architecture);
    await model.dispose();
  });
});
