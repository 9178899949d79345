import { describe, expect, it } from "vitest";
import type { EngineModel } from "../../spec/engine.ts";
import { ask, collect, describeEngine, failure } from "../../../test/engine-contract.ts";
import { createFakeEngine } from "./engine.ts";
import type { FakeModel } from "./model.ts";

const model: EngineModel = {
  name: "fake:latest",
  path: "/nowhere/model.gguf",
  info: {
    format: "gguf",
    architecture: "llama",
    parameterCount: 1_000_000,
    quantization: "F32",
    trainContextTokens: 2048,
    embeddingLength: 32,
    blockCount: 2,
    vocabularySize: 1000,
    kvBytesPerToken: 100,
    weightBytes: 4_000_000,
    specialTokens: ["<|im_start|>"],
    capabilities: ["generate", "chat", "embed", "rerank"],
    metadata: {},
  },
};

describeEngine("fake", {
  create: async () => ({
    engine: createFakeEngine(),
    model,
    embedModel: model,
    rerankModel: model,
    pictures: { model, bytes: [Uint8Array.of(1, 2), Uint8Array.of(1, 3)] },
    kill: (loaded) => (loaded as FakeModel).die(),
  }),
});

describe("the fake engine", () => {
  it("says what the test tells it to", async () => {
    const engine = createFakeEngine({ reply: (prompt) => `heard ${prompt}` });
    const loaded = await engine.load(model, {});
    expect((await collect(loaded, ask("a word"))).text).toBe("heard a word");
    expect(loaded.requests).toHaveLength(1);
    expect(engine.models).toEqual([loaded]);
  });

  it("waits at a gate before a token until the test opens it", async () => {
    const gate = Promise.withResolvers<void>();
    const engine = createFakeEngine({
      reply: "one two",
      beforeToken: (index) => (index === 1 ? gate.promise : undefined),
    });
    const loaded = await engine.load(model, {});
    const work = collect(loaded, ask("go"));
    while (loaded.generatedTokens === 0) await new Promise(setImmediate);
    expect(loaded.running).toBe(1);
    gate.resolve();
    expect((await work).text).toBe("one two");
    expect(loaded.running).toBe(0);
  });

  it("counts tokens, steps and blocks as they come and go", async () => {
    const gate = Promise.withResolvers<void>();
    const engine = createFakeEngine({
      reply: "one two",
      parallel: 1,
      contextTokens: 100,
      beforeToken: (index) => (index === 1 ? gate.promise : undefined),
    });
    const loaded = await engine.load(model, {});
    const prompt = "word ".repeat(40).trim();
    const work = Promise.all([collect(loaded, ask(prompt)), collect(loaded, ask(prompt))]);
    while (loaded.generatedTokens === 0) await new Promise(setImmediate);
    const first = { running: 1, waiting: 1, steps: 2, stepTokens: 41, promptTokens: 40, cachedTokens: 0 };
    expect(loaded.stats?.()).toMatchObject({ ...first, blocks: { total: 4, used: 2, cached: 0 } });
    gate.resolve();
    await work;
    const after = { running: 0, waiting: 0, steps: 6, stepTokens: 45, promptTokens: 80, cachedTokens: 39 };
    expect(loaded.stats?.()).toMatchObject({ ...after, generatedTokens: 4, blocks: { total: 4, used: 0, cached: 2 } });
  });

  it("fails to load as told, and counts it", async () => {
    const engine = createFakeEngine({
      beforeLoad: () => {
        throw new Error("no such luck");
      },
    });
    await expect(engine.load(model, {})).rejects.toThrow("no such luck");
    expect(engine.loads).toBe(1);
    expect(engine.models).toEqual([]);
  });

  it("knows control tokens from text that looks like them", async () => {
    const loaded = await createFakeEngine().load(model, {});
    const [control] = await loaded.tokenize([{ text: "<|im_start|>", special: true }]);
    const [plain] = await loaded.tokenize([{ text: "<|im_start|>", special: false }]);
    expect(control).not.toBe(plain);
  });

  it("has only the methods of its capabilities", async () => {
    const loaded = await createFakeEngine({ capabilities: ["embed"] }).load(model, {});
    expect(["generate", "rerank", "embed"].filter((name) => name in loaded)).toEqual(["embed"]);
    expect((await failure(Promise.resolve(loaded.embed?.({ texts: ["w ".repeat(5000)] })))).code).toBe(
      "context_too_long",
    );
  });
});
