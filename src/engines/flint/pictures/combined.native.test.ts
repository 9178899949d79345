/** A file that holds a language model and its encoder of pictures, against the same two in files of their own. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect } from "../../../../test/engine-contract.ts";
import { modelBytes } from "../../../../test/make-model.ts";
import { testPack } from "../../../../test/pack.ts";
import { inspectGguf } from "../../../models/inspect.ts";
import { picturesModule } from "../../media/pack.ts";
import { findFixture, fixtureBytes } from "../__fixtures__/fixtures.ts";
import { combinedGemma } from "../__fixtures__/renamed.ts";
import { createLocalFlint } from "../local.ts";
import { findVision, photoPath } from "../vision/__fixtures__/fixtures.ts";

const pack = await testPack("pictures");

describe.skipIf(pack === undefined)("a model of Ollama's engine with its encoder in the same file", () => {
  let folder: string;
  const path = (name: string): string => join(folder, `${name}.gguf`);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "hearth-combined-"));
    const [language, projector] = [fixtureBytes(findFixture("gemma3")), findVision("gemma3").bytes];
    await writeFile(path("language"), language);
    await writeFile(path("projector"), projector);
    await writeFile(path("both"), modelBytes(combinedGemma(language, projector)));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const answer = async (model: string, projector: string) => {
    const info = await inspectGguf(path(model));
    const flint = createLocalFlint(undefined, { pictures: picturesModule(pack ?? "") });
    const seeing = { ...info, capabilities: [...info.capabilities, "vision"] } as const;
    const files = { name: model, path: path(model), projector: path(projector), info: seeing };
    const loaded = await flint.load(files, { contextTokens: 256, parallel: 1, threads: 1 });
    try {
      const image = { bytes: await readFile(photoPath) };
      const prompt = [{ text: "what is it", special: false }, { image }, { text: " a", special: false }];
      const request = { ...ask("", { topLogprobs: 3, maxTokens: 6, ignoreEos: true }), prompt };
      return { capabilities: loaded.capabilities, ...(await collect(loaded, request)) };
    } finally {
      await loaded.dispose();
    }
  };

  it("is seen as both, and answers as they do", async () => {
    const [apart, together] = [await answer("language", "projector"), await answer("both", "both")];
    expect(together.capabilities).toContain("vision");
    expect(together.tokens).toEqual(apart.tokens);
    expect(together.events.filter(({ type }) => type === "token-delta")).toEqual(
      apart.events.filter(({ type }) => type === "token-delta"),
    );
    const [plain, both] = [await inspectGguf(path("language")), await inspectGguf(path("both"))];
    expect(both.weightBytes).toBeGreaterThan(0);
    expect(both.parameterCount).toBe(plain.parameterCount);
  });
});
