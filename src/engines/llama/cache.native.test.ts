import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect, failure } from "../../../test/engine-contract.ts";
import type { Generated } from "../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { Engine, EngineModel, GenerateRequest, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { createEngines } from "../registry.ts";

let folder: string;
let engine: Engine;
let tiny: EngineModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-llama-"));
  engine = await createEngines({ dataFolder: folder }).get("llama");
  const path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 2048 });
  tiny = { name: "tiny", path, info: await inspectGguf(path) };
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const options: LoadOptions = { contextTokens: 1024, parallel: 4, threads: 1, device: "cpu" };

/** Runs with a model that is unloaded afterwards. */
async function using<T>(more: LoadOptions, work: (model: LoadedModel) => Promise<T>): Promise<T> {
  const model = await engine.load(tiny, { ...options, ...more });
  try {
    return await work(model);
  } finally {
    await model.dispose();
  }
}

const words = "one two three four five six seven eight nine ten eleven twelve".split(" ");
/** A text of its own for each number. */
const text = (number: number, length: number): string =>
  Array.from({ length }, (_, index) => words[(number + index * index + (index >> 3)) % words.length]).join(" ");

/** How many tokens of the prompt were not computed. */
const cachedOf = ({ promptEnd }: Generated): number => promptEnd.cachedTokens;

describe("prompts that begin alike", () => {
  const prefix = text(1, 100);
  const prompts = [3, 4, 5].map((number) => `${prefix} ${text(number, 40)}`);

  it("are computed once, also when they come at the same time, and answered as if each was alone", async () => {
    const alone: string[] = [];
    for (const prompt of prompts) alone.push((await using({}, (model) => collect(model, ask(prompt)))).text);
    await using({}, async (model) => {
      const together = await Promise.all(prompts.map((prompt) => collect(model, ask(prompt))));
      const [first, ...others] = together.map(cachedOf);
      expect(first).toBe(0);
      for (const cached of others) expect(cached).toBeGreaterThan(250);
      expect(together.map((one) => one.text)).toEqual(alone);
    });
  });

  it("leave each conversation what it has computed itself", async () => {
    await using({}, async (model) => {
      for (const prompt of prompts) await collect(model, ask(prompt));
      for (const prompt of prompts) {
        const again = await collect(model, ask(prompt));
        expect(again.promptEnd.promptTokens - cachedOf(again)).toBe(1);
      }
    });
  });

  it("are computed for each tenant", async () => {
    await using({}, async (model) => {
      await collect(model, ask(prompts[0] ?? "", { tenant: "ann" }));
      expect(cachedOf(await collect(model, ask(prompts[1] ?? "", { tenant: "bob" })))).toBe(0);
      expect(cachedOf(await collect(model, ask(prompts[2] ?? "")))).toBe(0);
      expect(cachedOf(await collect(model, ask(prompts[2] ?? "", { tenant: "ann" })))).toBeGreaterThan(250);
    });
  });

  it("go on when the request that computes them is cancelled", async () => {
    await using({ batchTokens: 32 }, async (model) => {
      const controller = new AbortController();
      const first = failure(collect(model, ask(prompts[0] ?? ""), controller.signal));
      const second = collect(model, ask(prompts[1] ?? ""));
      controller.abort();
      expect((await first).code).toBe("aborted");
      expect((await second).tokens).toHaveLength(16);
    });
  });
});

describe("requests that come while others are answered", () => {
  it("are computed together with them, and not one after the other", async () => {
    await using({}, async (model) => {
      const long = { maxTokens: 900, ignoreEos: true, sampling: { temperature: 1 } };
      const running = [1, 2].map((number) => collect(model, ask(text(number, 5), long)));
      // Both of them are at it when the third comes.
      await expect.poll(() => model.stats?.().generatedTokens).toBeGreaterThan(20);
      await collect(model, ask(text(3, 5), { maxTokens: 1 }));
      const { generatedTokens = 0 } = model.stats?.() ?? {};
      expect(generatedTokens).toBeLessThan(1790);
      await Promise.all(running);
      const { steps = 0 } = model.stats?.() ?? {};
      expect(steps).toBeLessThan(1350);
    });
  });

  it("wait for a sequence in the order of asking, and batch work longest", async () => {
    await using({ parallel: 1 }, async (model) => {
      const order: string[] = [];
      const run = async (name: string, more: Partial<GenerateRequest>): Promise<void> => {
        await collect(model, ask(text(7, 5), { maxTokens: 4, ...more }));
        order.push(name);
      };
      await Promise.all([
        run("first", {}),
        run("batch", { priority: "batch" }),
        run("second", {}),
        run("third", { priority: "interactive" }),
      ]);
      expect(order).toEqual(["first", "second", "third", "batch"]);
    });
  });
});

describe("prompts on disk", () => {
  const prompt = text(1, 120);
  const request = ask(prompt, { maxTokens: 12 });
  const cached = (name: string): LoadOptions => ({ diskCache: { folder: join(folder, name), mostBytes: 1e8 } });
  const filesOf = async (name: string): Promise<string[]> => {
    const path = join(folder, name, "llama");
    return (await readdir(path)).map((file) => join(path, file));
  };

  it("survive that the model is unloaded, and give the same answer", async () => {
    const first = await using(cached("survive"), (model) => collect(model, request));
    await using(cached("survive"), async (model) => {
      expect(model.stats?.().diskBytes).toBeGreaterThan(10_000);
      const again = await collect(model, request);
      expect(again.promptEnd.promptTokens - cachedOf(again)).toBe(1);
      expect(again.text).toBe(first.text);
      expect(model.stats?.()).toMatchObject({ cachedTokens: 0, restoredTokens: cachedOf(again) });
    });
  });

  it("come back for a prompt that goes on differently, as far as it is the same", async () => {
    await using(cached("shorter"), (model) => collect(model, request));
    const other = ask(`${text(1, 60)} ${text(4, 30)}`);
    const alone = await using({}, (model) => collect(model, other));
    const restored = await using(cached("shorter"), (model) => collect(model, other));
    expect(cachedOf(restored)).toBeGreaterThan(128);
    expect(cachedOf(restored)).toBeLessThan(restored.promptEnd.promptTokens - 50);
    expect(restored.text).toBe(alone.text);
  });

  it("come back when another conversation has taken their place", async () => {
    await using({ ...cached("evicted"), parallel: 1 }, async (model) => {
      const first = await collect(model, request);
      await collect(model, ask(text(5, 120)));
      const again = await collect(model, request);
      expect(cachedOf(again)).toBeGreaterThan(256);
      expect(model.stats?.().restoredTokens).toBe(cachedOf(again));
      expect(again.text).toBe(first.text);
    });
  });

  it("are those of one tenant", async () => {
    await using(cached("tenant"), (model) => collect(model, { ...request, tenant: "ann" }));
    await using(cached("tenant"), async (model) => {
      expect(cachedOf(await collect(model, request))).toBe(0);
      expect(cachedOf(await collect(model, { ...request, tenant: "bob" }))).toBe(0);
    });
  });

  it("are not used for other options, and a request with a seed computes all itself", async () => {
    await using(cached("options"), (model) => collect(model, request));
    for (const more of [{ parallel: 2 }, { kvTypeK: "bf16" }, { flashAttention: false }] as const) {
      expect(cachedOf(await using({ ...cached("options"), ...more }, (model) => collect(model, request)))).toBe(0);
    }
    const seeded = { ...request, sampling: { temperature: 0, seed: 1 } };
    expect(cachedOf(await using(cached("options"), (model) => collect(model, seeded)))).toBe(0);
  });

  it("that were damaged are computed again and never reach native code", async () => {
    const first = await using(cached("damaged"), (model) => collect(model, request));
    const [state = ""] = (await filesOf("damaged")).filter((file) => file.endsWith(".state"));
    const whole = await readFile(state);
    for (const at of [8, 2000, whole.length - 1]) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x40;
      await writeFile(state, bytes);
      await using(cached("damaged"), async (model) => {
        const again = await collect(model, request);
        expect(cachedOf(again)).toBe(0);
        expect(again.text).toBe(first.text);
      });
    }
  });

  it("of a state that is not what its record says are dropped, whatever their checksum", async () => {
    await using(cached("swapped"), (model) => collect(model, request));
    await using(cached("foreign"), (model) => collect(model, ask(text(8, 120))));
    const [ours = "", theirs = ""] = await Promise.all(
      ["swapped", "foreign"].map(async (name) => (await filesOf(name)).find((file) => file.endsWith(".state")) ?? ""),
    );
    const bytes = await readFile(theirs);
    await writeFile(ours, bytes);
    const record = JSON.parse(await readFile(ours.replace(".state", ".json"), "utf8")) as object;
    const foreign = JSON.parse(await readFile(theirs.replace(".state", ".json"), "utf8")) as Record<string, unknown>;
    const { sizeBytes, checksum } = foreign;
    await writeFile(ours.replace(".state", ".json"), JSON.stringify({ ...record, sizeBytes, checksum }));
    await using(cached("swapped"), async (model) => {
      expect(cachedOf(await collect(model, request))).toBe(0);
    });
  });
});

describe("a cache of so many tokens", () => {
  it("holds fewer sequences, and at least one", async () => {
    expect(await using({ cacheTokens: 2500 }, async (model) => model.parallel)).toBe(2);
    expect((await failure(engine.load(tiny, { ...options, cacheTokens: 1000 }))).code).toBe("unsupported_option");
  });
});
