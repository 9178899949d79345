import { expect, test } from "vitest";
import { createTestHouse, gibibyte, mebibyte, modelOf } from "../../test/runtime-house.ts";

const encoder = modelOf("encoder", gibibyte, { capabilities: ["embed"] });
const models = [modelOf("a", gibibyte), modelOf("small", 350 * mebibyte), encoder];

test("the draft model of the settings is found by its name and loaded with every model that generates text", async () => {
  const { runtime, engine } = createTestHouse({ models, settings: { draft: "small", memory: 4 * gibibyte } });
  for (const model of ["a", "encoder"]) (await runtime.acquire({ model })).release();
  expect(engine.last("a").options.draft).toEqual({ path: "/nowhere/small:latest/model.gguf" });
  expect(engine.last("encoder").options).not.toHaveProperty("draft");
  const { choice } = await runtime.plan("encoder", { contextTokens: 8000 });
  expect(choice.reasons).toContain("the draft model small is left out: the model generates no text");
});

test("its weights count in the memory that the model needs", async () => {
  const { runtime } = createTestHouse({ models, settings: { memory: 4 * gibibyte } });
  const plain = await runtime.plan("a");
  const guessed = await runtime.plan("a", { draft: { path: "small" } });
  expect(guessed.load.draft).toEqual({ path: "/nowhere/small:latest/model.gguf" });
  expect(guessed.estimate.weightBytes - plain.estimate.weightBytes).toBe(200 * mebibyte);
  expect(guessed.estimate.computeBytes).toBe(plain.estimate.computeBytes);
  const tight = createTestHouse({ models, settings: { memory: 1.1 * gibibyte, draft: "small" } });
  await expect(tight.runtime.acquire({ model: "a" })).rejects.toMatchObject({
    code: "out_of_memory",
    hint: /leave out --draft/i,
  });
});

test("a model is no draft of itself, and none is loaded while guessing is off", async () => {
  const { runtime, engine } = createTestHouse({ models, settings: { draft: "small", memory: 4 * gibibyte } });
  (await runtime.acquire({ model: "small" })).release();
  (await runtime.acquire({ model: "a", load: { speculation: "off" } })).release();
  expect(engine.loads.map(({ options }) => options.draft)).toEqual([undefined, undefined]);
  const { choice } = await runtime.plan("small", { contextTokens: 8000 });
  expect(choice.reasons).toContain("the draft model small is left out: it is the model itself");
});

test.for([
  ["a", "encoder", undefined, /"encoder" cannot be used: it generates no text/],
  ["encoder", "small", undefined, /"small" cannot be used: the model generates no text/],
  ["a", "small", "off", /"small" cannot be used: guessing ahead is switched off/],
] as const)(
  "a request for %s with the draft %s is refused where it is of no use (%s)",
  async ([model, path, off, why]) => {
    const { runtime } = createTestHouse({ models, settings: { speculation: off ?? "auto" } });
    const refused = { code: "unsupported_option", message: why, details: { field: "draft" } };
    await expect(runtime.acquire({ model, load: { draft: { path } } })).rejects.toMatchObject(refused);
  },
);

test("a draft that is not installed is named, together with its model", async () => {
  const { runtime } = createTestHouse({ models, settings: { draft: "nobody" } });
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({
    code: "model_not_found",
    message: 'The draft of "a:latest" was not found: Model "nobody" is not installed.',
    details: { field: "draft" },
  });
});
