import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect } from "../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { createLocalFlint } from "./local.ts";

let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-sleep-"));
  path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 512 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(options: LoadOptions = {}): Promise<LoadedModel> {
  const model = { name: "tiny", path, info: await inspectGguf(path) };
  return await createLocalFlint().load(model, { contextTokens: 512, parallel: 2, threads: 1, ...options });
}

const prompt = "one two three four five six seven eight nine ten";

describe("a sleeping model", () => {
  it("holds no memory, and wakes for the next request as if nothing had been", async () => {
    const model = await load();
    const before = await collect(model, ask(prompt));
    const used = model.memory().ramBytes;
    expect(await model.sleep?.()).toBe(true);
    expect(await model.sleep?.()).toBe(true);
    expect(used).toBeGreaterThan(0);
    expect(model.memory().ramBytes).toBe(0);
    const [one, other] = await Promise.all([collect(model, ask(prompt)), collect(model, ask(prompt))]);
    expect([one.tokens, other.tokens]).toEqual([before.tokens, before.tokens]);
    expect(model.memory().ramBytes).toBeGreaterThan(0);
    expect(model.stats?.().generatedTokens).toBe(3 * before.tokens.length);
    await model.dispose();
  });

  it("finds its prefixes on disk when it wakes", async () => {
    const model = await load({ diskCache: { folder: join(folder, "cache"), mostBytes: 1e8 } });
    const tokens = Array.from({ length: 200 }, (_, index) => 3 + (index % 250));
    const request = { ...ask(""), prompt: tokens };
    const before = await collect(model, request);
    await model.sleep?.();
    const after = await collect(model, request);
    expect(after.tokens).toEqual(before.tokens);
    expect(after.finish.usage.cachedTokens).toBe(199);
    expect(model.stats?.().restoredTokens).toBe(199);
    await model.dispose();
  });

  it("does not fall asleep while a request runs, and can be woken and unloaded at any time", async () => {
    const model = await load();
    const running = collect(model, ask(prompt, { maxTokens: 40, ignoreEos: true }));
    expect(await model.sleep?.()).toBe(false);
    expect((await running).tokens).toHaveLength(40);
    await model.sleep?.();
    const late = collect(model, ask(prompt)).then(
      () => "answered",
      () => "failed",
    );
    await model.dispose();
    expect(["answered", "failed"]).toContain(await late);
    await model.dispose();
  });
});
