/** Sleep and wake from the library down to the engine's process, and a draft model found by its path. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHearth } from "../src/tasks/hearth.ts";
import type { Hearth } from "../src/tasks/contract.ts";
import type { LoadOptions } from "../src/spec/engine.ts";
import { makeTinyLlama } from "./make-model.ts";
import { collect, textOf } from "./task-house.ts";

let folder: string;
let hearth: Hearth;
let [model, small] = ["", ""];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-sleep-"));
  model = await makeTinyLlama(join(folder, "model.gguf"), { seed: 1 });
  small = await makeTinyLlama(join(folder, "small.gguf"), { seed: 2, layers: 1 });
  const settings = { data: folder, offline: true, device: "cpu", engine: "flint", diskCache: 0, threads: 1 } as const;
  hearth = createHearth({ settings: { ...settings, sleepAfter: Infinity } });
});

afterAll(async () => {
  await hearth.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function answer(load: LoadOptions = {}): Promise<string> {
  const sampling = { temperature: 0 };
  return textOf(await collect(hearth.complete({ model, load, prompt: "the people", maxTokens: 8, sampling })));
}

test("a model that slept answers as before, in the same process", async () => {
  const before = await answer();
  const [awake] = hearth.runtime.loaded();
  await hearth.runtime.sleep(model);
  const [asleep] = hearth.runtime.loaded();
  expect([awake?.state, asleep?.state, asleep?.memory.ramBytes]).toEqual(["ready", "asleep", 0]);
  expect(awake?.memory.ramBytes).toBeGreaterThan(0);
  expect(hearth.runtime.stats().usedBytes).toBe(
    asleep && (await hearth.runtime.plan(model)).choice.footprint?.processBytes,
  );
  expect(await Promise.all([answer(), answer()])).toEqual([before, before]);
  expect(hearth.runtime.loaded()[0]?.memory.ramBytes).toBeGreaterThan(0);
  expect(hearth.runtime.stats()).toMatchObject({ loads: 1, sleeps: 1, wakes: 1 });
});

test("a draft model by its path, and a small cache, change nothing of the answer, asleep in between or not", async () => {
  const before = await answer();
  const load = { draft: { path: small }, contextTokens: 256, cacheTokens: 256 };
  expect(await answer(load)).toBe(before);
  await hearth.runtime.sleep(model);
  expect(await answer(load)).toBe(before);
  expect(hearth.runtime.loaded()).toMatchObject([{ engine: "flint", contextTokens: 256 }]);
});
