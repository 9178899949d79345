/** Files that `convert` makes of folders, in llama.cpp and in flint. */
import type { Llama } from "node-llama-cpp";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSession, startLlama } from "../../../scripts/golden/llama.ts";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { distance } from "../../engines/flint/__fixtures__/distance.ts";
import { encoderFixtures, fixtureBytes, generateFixtures } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { Fixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openInline } from "../../engines/flint/inline.ts";
import { convert } from "./convert.ts";

let llama: Llama;
beforeAll(async () => {
  llama = await startLlama();
});
afterAll(async () => {
  await llama.dispose();
});

/** A fixture as a folder, and that as a file of F16. */
async function makeFile(fixture: Fixture): Promise<string> {
  const folder = temporaryFolder();
  const [source, checkpoint, file] = ["a.gguf", "folder", "b.gguf"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(source, fixtureBytes(fixture));
  await convert({ source, out: checkpoint });
  await convert({ source: checkpoint, out: file, type: "f16" });
  return file;
}

describe("a folder that became a file", () => {
  test.each(generateFixtures())("gives the logits of flint in llama.cpp: $name", async (fixture) => {
    const modelPath = await makeFile(fixture);
    const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
    const flint = openInline(new Uint8Array(readFileSync(modelPath)), { contextTokens: 64 });
    const session = await openSession(model, { contextTokens: 64, cache: "F16" });
    const tokens = fixture.prompts[0]?.tokens ?? [];
    const theirs = await session.read(tokens);
    const ours = flint.step({ tokens, from: tokens.length - 1 });
    expect(distance(ours, [theirs])).toBeLessThan(1e-3);
    await session.dispose();
    await model.dispose();
  });

  test.each(encoderFixtures())("is read by llama.cpp: $name", async (fixture) => {
    const modelPath = await makeFile(fixture);
    const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
    expect(model.fileInfo.metadata.general.architecture).toBe(fixture.architecture);
    await model.dispose();
  });
});
