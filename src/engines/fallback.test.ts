import { expect, it } from "vitest";
import { fakeInfo } from "../../test/fake-library.ts";
import { HearthError } from "../error.ts";
import type { Engine, EngineModel } from "../spec/engine.ts";
import { createFakeEngine } from "./fake/engine.ts";
import { withFallback } from "./fallback.ts";

const model: EngineModel = { name: "tiny", path: "/tiny.gguf", info: fakeInfo() };

function failing(error: unknown): Engine {
  const engine = createFakeEngine({
    beforeLoad: () => {
      throw error;
    },
  });
  return { ...engine, name: "flint" };
}

it.each([
  new HearthError("model_unsupported", "tiny has an unknown kind of vocabulary."),
  new HearthError("model_malformed", "tiny has two scores for one token."),
  new HearthError("out_of_memory", "tiny needs 5 GiB.", { details: { limitBytes: 2 ** 32 } }),
])(
  "a model that the first engine refuses as it loads is loaded by the next one, and the reason is said",
  async (error) => {
    const next = createFakeEngine();
    const said: unknown[] = [];
    const onRefused = (...refused: readonly unknown[]): void => void said.push(refused);
    const engine = withFallback({ first: failing(error), next: async () => next, onRefused });
    const loaded = await engine.load(model, {});
    expect(loaded.engine).toBe("fake");
    expect(said).toEqual([[model, error]]);
    await expect(engine.load(model, { engine: "flint" })).rejects.toBe(error);
    expect(next.loads).toBe(1);
  },
);

it.each([
  new HearthError("out_of_memory", "the system gave no memory"),
  new HearthError("engine_load_failed", "a kernel failed"),
  new HearthError("aborted", "cancelled"),
  new TypeError("a bug"),
])("what is no refusal is not hidden: %s", async (error) => {
  const next = createFakeEngine();
  const engine = withFallback({ first: failing(error), next: async () => next, onRefused: () => undefined });
  await expect(engine.load(model, {})).rejects.toBe(error);
  expect(next.loads).toBe(0);
});

it("where the next engine is missing, the error says both", async () => {
  const first = failing(new HearthError("model_unsupported", "flint does not run it."));
  const missing = new HearthError("engine_missing", "The pack llama is not installed.", { hint: "Install it." });
  const next = createFakeEngine({
    beforeLoad: () => {
      throw missing;
    },
  });
  const engine = withFallback({ first, next: async () => next, onRefused: () => undefined });
  await expect(engine.load(model, {})).rejects.toMatchObject({
    code: "model_unsupported",
    message: "flint does not run it. The pack llama is not installed.",
    hint: "Install it.",
  });
});

it("where the next engine cannot run it either, the first one's error stays", async () => {
  const error = new HearthError("model_malformed", "tiny lacks a tensor.");
  const next = createFakeEngine({ refuse: () => "not for me" });
  const engine = withFallback({ first: failing(error), next: async () => next, onRefused: () => undefined });
  await expect(engine.load(model, {})).rejects.toBe(error);
});
