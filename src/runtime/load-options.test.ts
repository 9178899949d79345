import { expect, test } from "vitest";
import { createFakeLibrary, fakeInfo } from "../../test/fake-library.ts";
import type { EngineFootprint, LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import { estimateMemory } from "./fit.ts";
import { adapterBytes, type LoadAnswer, type LoadSettings, resolveLoad, serves } from "./load-options.ts";
import { gibibyte, mebibyte } from "../../test/runtime-house.ts";

const plain: LoadSettings = {
  engine: "auto",
  device: "auto",
  context: undefined,
  parallel: undefined,
  threads: undefined,
  kvTypeK: undefined,
  kvTypeV: undefined,
  flashAttention: "auto",
  gpuLayers: undefined,
  quantize: "off",
  cacheTokens: undefined,
  speculation: "auto",
  draft: undefined,
};
const [model] = (await createFakeLibrary([{ name: "tiny" }]).list()) as [InstalledModel];
const info = fakeInfo({ trainContextTokens: 32_768 });

interface Question {
  readonly requested?: LoadOptions;
  readonly settings?: Partial<LoadSettings>;
  readonly budgetBytes?: number;
  readonly info?: ModelInfo;
  readonly model?: InstalledModel;
  readonly footprint?: EngineFootprint;
}

function resolve(question: Question = {}): LoadAnswer {
  return resolveLoad({
    model: question.model ?? model,
    info: question.info ?? info,
    requested: question.requested ?? {},
    settings: { ...plain, ...question.settings },
    device: "cpu",
    budgetBytes: question.budgetBytes ?? 100 * gibibyte,
    ...(question.footprint && { footprint: question.footprint }),
  });
}

/** An engine whose sequences share the cache. */
const shared: EngineFootprint = {
  weightBytes: 700_000_000,
  processBytes: 180 * mebibyte,
  rowBytes: 1000,
  batchTokens: 256,
  blockTokens: 32,
  sharesCache: true,
};

/** What such an engine takes for so many tokens of cache, the spare ones of one context among them. */
function sharedBudget(tokens: number): number {
  const sizes = { ...info, footprint: shared };
  return estimateMemory(sizes, { contextTokens: 32, parallel: 1, cacheTokens: tokens - 32 }).totalBytes;
}

/** A budget in which exactly this many tokens of all sequences together fit. */
function budgetFor(tokens: number): number {
  return estimateMemory(info, { contextTokens: tokens, parallel: 1 }).totalBytes;
}

test("by default 4096 tokens, or what the model was trained for, and 8 sequences", () => {
  expect(resolve()).toEqual({ load: { device: "cpu", contextTokens: 4096, parallel: 8 }, reasons: [] });
  expect(resolve({ info: fakeInfo({ trainContextTokens: 2048 }) }).load.contextTokens).toBe(2048);
  expect(resolve({ info: fakeInfo({ trainContextTokens: 0 }) }).load.contextTokens).toBe(4096);
});

test("the request comes before the settings", () => {
  const settings = { context: 8192, parallel: 2, threads: 3, kvTypeK: "q8_0", kvTypeV: "q4_0" } as const;
  expect(resolve({ settings }).load).toEqual({
    device: "cpu",
    contextTokens: 8192,
    parallel: 2,
    threads: 3,
    kvTypeK: "q8_0",
    kvTypeV: "q4_0",
  });
  const requested = {
    contextTokens: 1000,
    parallel: 1,
    threads: 1,
    kvTypeK: "f16",
    batchTokens: 64,
    mmap: false,
  } as const;
  expect(resolve({ settings, requested }).load).toEqual({ ...requested, device: "cpu", kvTypeV: "q4_0" });
});

test("flash attention and GPU layers of the settings become load options", () => {
  expect(resolve({ settings: { flashAttention: "on", gpuLayers: "12" } }).load).toMatchObject({
    flashAttention: true,
    gpuLayers: 12,
  });
  expect(resolve({ settings: { flashAttention: "off", gpuLayers: "max" } }).load).toMatchObject({
    flashAttention: false,
    gpuLayers: "max",
  });
  for (const gpuLayers of ["some", "-1", "1.5", ""]) {
    expect(() => resolve({ settings: { gpuLayers } })).toThrow(/--gpu-layers/);
  }
});

test("guessing ahead is switched off by its setting, and left to the engine otherwise", () => {
  expect(resolve({ settings: { speculation: "off" } }).load.speculation).toBe("off");
  expect(resolve().load).not.toHaveProperty("speculation");
});

test("the size of the cache comes from the request, else from the settings", () => {
  expect(resolve()).not.toHaveProperty("load.cacheTokens");
  expect(resolve({ settings: { cacheTokens: 9000 } }).load.cacheTokens).toBe(9000);
  expect(resolve({ settings: { cacheTokens: 9000 }, requested: { cacheTokens: 5000 } }).load.cacheTokens).toBe(5000);
});

test("a cache smaller than the usual context makes the context smaller, with a reason", () => {
  expect(resolve({ settings: { cacheTokens: 3000 } })).toMatchObject({
    load: { contextTokens: 3000, cacheTokens: 3000 },
    reasons: ["context is 3000 tokens, not 4096: the cache holds no more", expect.stringContaining("1 sequences")],
  });
});

test("a cache smaller than the context that was asked for is refused with both figures", () => {
  const question = { settings: { cacheTokens: 3000 }, requested: { contextTokens: 4000 } };
  expect(() => resolve(question)).toThrow("A cache of 3000 tokens does not hold a context of 4000.");
});

test("a model that generates no text has no such cache: a setting is left out, a request is refused", () => {
  const encoder = fakeInfo({ kvBytesPerToken: 0, capabilities: ["embed"] });
  expect(resolve({ info: encoder, settings: { cacheTokens: 9000 } }).load).not.toHaveProperty("cacheTokens");
  expect(() => resolve({ info: encoder, requested: { cacheTokens: 9000 } })).toThrow(/generates no text keeps none/);
});

test("where every sequence has a context of its own, a cache of a certain size holds so many of them", () => {
  const answer = resolve({ settings: { cacheTokens: 3 * 4096 + 100 } });
  expect(answer.load).toMatchObject({ contextTokens: 4096, parallel: 8 });
  expect(answer.reasons).toEqual(["3 sequences run at once, not 8: the cache holds 12388 tokens"]);
  const three = estimateMemory(info, { contextTokens: 4096, parallel: 3 });
  expect(estimateMemory(info, answer.load)).toEqual(three);
});

test("where sequences share the cache and memory is short, it shrinks first, down to one context", () => {
  expect(resolve({ footprint: shared, budgetBytes: sharedBudget(9 * 4096) })).toMatchObject({
    load: { contextTokens: 4096, parallel: 8 },
    reasons: [],
  });
  expect(resolve({ footprint: shared, budgetBytes: sharedBudget(9 * 4096) - 1 })).toEqual({
    load: { device: "cpu", contextTokens: 4096, parallel: 8, cacheTokens: 8 * 4096 - 256 },
    reasons: ["the cache holds 32512 tokens, not 32768, and sequences wait where it is full: memory is short"],
  });
  expect(resolve({ footprint: shared, budgetBytes: sharedBudget(2 * 4096) }).load).toMatchObject({
    contextTokens: 4096,
    parallel: 8,
    cacheTokens: 4096,
  });
});

test("then the context with it, and all of that fits", () => {
  expect(resolve({ footprint: shared, budgetBytes: sharedBudget(2 * 4096) - 1 })).toMatchObject({
    load: { contextTokens: 3840, parallel: 8, cacheTokens: 3840 },
    reasons: [
      expect.stringContaining("the cache holds 3840 tokens"),
      "context is 3840 tokens, not 4096: memory is short",
    ],
  });
  for (let tokens = 2 * 512; tokens < 40_000; tokens += 333) {
    const budgetBytes = sharedBudget(tokens);
    const { load } = resolve({ footprint: shared, budgetBytes });
    expect(load.cacheTokens ?? Infinity).toBeGreaterThanOrEqual(load.contextTokens);
    expect(estimateMemory({ ...info, footprint: shared }, load).totalBytes).toBeLessThanOrEqual(budgetBytes);
  }
});

test("a cache and a context that were asked for stay as they are", () => {
  const budgetBytes = sharedBudget(1024);
  const asked = { contextTokens: 2048, cacheTokens: 8192 };
  expect(resolve({ footprint: shared, budgetBytes, requested: asked }).load).toMatchObject(asked);
  const context = { contextTokens: 2048 };
  expect(resolve({ footprint: shared, budgetBytes, requested: context }).load).toMatchObject({
    ...context,
    cacheTokens: 2048,
  });
});

test("more context than the model was trained for is cut, with a reason", () => {
  const answer = resolve({ requested: { contextTokens: 50_000 } });
  expect(answer.load.contextTokens).toBe(32_768);
  expect(answer.reasons).toEqual(["context is 32768 tokens, not 50000: the model was trained for no more"]);
});

test("where memory is short the context shrinks first, to 1024 at least", () => {
  expect(resolve({ budgetBytes: budgetFor(8 * 2048) })).toMatchObject({
    load: { contextTokens: 2048, parallel: 8 },
    reasons: ["context is 2048 tokens, not 4096: memory is short"],
  });
  expect(resolve({ budgetBytes: budgetFor(8 * 1024) }).load).toMatchObject({ contextTokens: 1024, parallel: 8 });
});

test("then the number of sequences, to 4 at least, and then the context again", () => {
  expect(resolve({ budgetBytes: budgetFor(8 * 1024 - 1) })).toMatchObject({
    load: { contextTokens: 1024, parallel: 7 },
    reasons: ["context is 1024 tokens, not 4096: memory is short", "7 sequences run at once, not 8: memory is short"],
  });
  expect(resolve({ budgetBytes: budgetFor(4 * 1024) }).load).toMatchObject({ contextTokens: 1024, parallel: 4 });
  expect(resolve({ budgetBytes: budgetFor(4 * 1024 - 1) }).load).toMatchObject({ contextTokens: 768, parallel: 4 });
  expect(resolve({ budgetBytes: budgetFor(4 * 512) }).load).toMatchObject({ contextTokens: 512, parallel: 4 });
});

test("what is chosen always fits where anything does", () => {
  for (let tokens = 4 * 512; tokens < 40_000; tokens += 333) {
    const { load } = resolve({ budgetBytes: budgetFor(tokens) });
    expect(load.parallel).toBeGreaterThanOrEqual(4);
    expect(estimateMemory(info, load).totalBytes).toBeLessThanOrEqual(budgetFor(tokens));
  }
});

test("what the user asked for is never made smaller", () => {
  const budgetBytes = budgetFor(4 * 512);
  expect(resolve({ budgetBytes, requested: { contextTokens: 4096 } }).load).toMatchObject({
    contextTokens: 4096,
    parallel: 4,
  });
  expect(resolve({ budgetBytes, settings: { context: 4096, parallel: 8 } })).toMatchObject({
    load: { contextTokens: 4096, parallel: 8 },
    reasons: [],
  });
  expect(resolve({ budgetBytes: budgetFor(1024), settings: { parallel: 1 } }).load).toMatchObject({
    contextTokens: 1024,
    parallel: 1,
  });
});

test("the adapters of a model are loaded with it, unless the request has its own", () => {
  const adapter = { role: "adapter", name: "lora.gguf", sizeBytes: 5 * mebibyte, path: "/store/lora" } as const;
  const adapted = { ...model, files: [...model.files, adapter] };
  const { load } = resolve({ model: adapted });
  expect(load.adapters).toEqual([{ path: "/store/lora" }]);
  expect(adapterBytes(adapted, load)).toBe(5 * mebibyte);
  expect(resolve({ model: adapted, requested: { adapters: [] } }).load.adapters).toEqual([]);
});

test.for<LoadOptions>([
  { gpuLayers: 3 },
  { flashAttention: true },
  { kvTypeK: "q8_0" },
  { adapters: [{ path: "/x" }] },
  { draft: { path: "/x" } },
])("%o is refused for a model in ONNX, not ignored", (requested) => {
  const onnx = { ...info, format: "onnx" } as const;
  const [field] = Object.keys(requested);
  expect(() => resolve({ info: onnx, requested })).toThrow(expect.objectContaining({ details: { field } }));
  expect(() => resolve({ info: onnx, requested: { gpuLayers: "auto", adapters: [], kvTypeV: "f16" } })).not.toThrow();
});

const choice = { engine: "flint" } as const;
const loadedAs = { model, choice, load: { contextTokens: 4096, parallel: 4, threads: 2 } };

test.for<[LoadOptions, boolean]>([
  [{}, true],
  [{ contextTokens: 4096, parallel: 4, threads: 2 }, true],
  [{ contextTokens: 1, parallel: 1 }, true],
  [{ contextTokens: 4097 }, false],
  [{ parallel: 5 }, false],
  [{ threads: 1 }, false],
  [{ engine: "flint" }, true],
  [{ engine: "llama" }, false],
  [{ kvTypeV: "f16" }, true],
  [{ kvTypeV: "q8_0" }, false],
  [{ flashAttention: "auto", gpuLayers: "auto", device: "auto" }, true],
  [{ flashAttention: true }, false],
  [{ gpuLayers: 3 }, false],
  [{ mlock: true }, false],
  [{ speculation: "auto" }, true],
  [{ speculation: "off" }, false],
  [{ cacheTokens: 4 * 4096 }, true],
  [{ cacheTokens: 4096 }, false],
  [{ draft: { path: "/draft" } }, false],
  [{ adapters: [] }, true],
  [{ adapters: [{ path: "/x" }] }, false],
])("a model loaded with 4096 tokens, 4 sequences and 2 threads serves %o: %s", ([requested, expected]) => {
  expect(serves(loadedAs, model, info, requested)).toBe(expected);
});

test("what is loaded on the CPU serves who asks for the CPU, and nobody who asks for a GPU", () => {
  const given = { engine: "flint", device: "cpu", contextTokens: 4096, parallel: 4 } as const;
  const loaded = { ...loadedAs, loaded: given };
  expect(serves(loaded, model, info, { device: "cpu" })).toBe(true);
  expect(serves(loaded, model, info, { device: "cuda" })).toBe(false);
});

test("who asks for an engine is served by that one only, which may not be the one that was chosen", () => {
  expect(serves(loadedAs, model, info, { engine: "flint" })).toBe(true);
  expect(serves(loadedAs, model, info, { engine: "llama" })).toBe(false);
  const handedOn = { engine: "llama", device: "cpu", contextTokens: 4096, parallel: 4 } as const;
  expect(serves({ ...loadedAs, loaded: handedOn }, model, info, { engine: "llama" })).toBe(true);
  expect(serves({ ...loadedAs, loaded: handedOn }, model, info, { engine: "flint" })).toBe(false);
  expect(serves({ ...loadedAs, loaded: handedOn }, model, info, { engine: "auto" })).toBe(true);
});

test("other bytes under the same name are another model", () => {
  expect(serves(loadedAs, { ...model, id: "0".repeat(64) }, info, {})).toBe(false);
});

test("the context that travels with a model stands in where nobody asks for one", () => {
  const own = { ...model, overrides: { parameters: { num_ctx: 8192 } } };
  expect(resolve({ model: own }).load.contextTokens).toBe(8192);
  expect(resolve({ model: own, settings: { context: 2048 } }).load.contextTokens).toBe(2048);
  expect(resolve({ model: own, requested: { contextTokens: 1024 } }).load.contextTokens).toBe(1024);
  const odd = { ...model, overrides: { parameters: { num_ctx: "many" } } };
  expect(resolve({ model: odd }).load.contextTokens).toBe(4096);
});
