/** Adapters of the whole engine, in its child process, beside llama.cpp with the same files. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect, failure } from "../../../../test/engine-contract.ts";
import { tinyLlama } from "../../../../test/make-model.ts";
import { writeGguf } from "../../../formats/gguf/write.ts";
import { inspectGguf } from "../../../models/inspect.ts";
import type { Engine, EngineModel, GenerateRequest, LoadedModel, LoadOptions } from "../../../spec/engine.ts";
import { createEngines } from "../../registry.ts";
import { createFlintEngine } from "../engine.ts";
import { makeLora } from "./__fixtures__/lora.ts";

const folder = await mkdtemp(join(tmpdir(), "hearth-adapters-"));
const paths = { model: join(folder, "tiny.gguf"), one: join(folder, "one.gguf"), two: join(folder, "two.gguf") };
const options: LoadOptions = { contextTokens: 256, parallel: 4, threads: 1, device: "cpu" };
const both = [{ path: paths.one, scale: 0.7 }, { path: paths.two }];
const flint = createFlintEngine({ env: {} });
let llama: Engine;
let model: EngineModel;

beforeAll(async () => {
  const content = tinyLlama({ seed: 1, context: 512 });
  const every = /^(blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))|output)\.weight$/;
  await writeGguf(paths.model, content);
  await writeGguf(paths.one, makeLora(content, every, { seed: 5, rank: 4, alpha: 8 }));
  await writeGguf(paths.two, makeLora(content, /ffn_up|attn_q/, { seed: 6, rank: 10 }));
  model = { name: "tiny", path: paths.model, info: await inspectGguf(paths.model) };
  llama = await createEngines({ dataFolder: folder }).get("llama");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function using<T>(
  engine: Engine,
  adapters: LoadOptions["adapters"],
  use: (loaded: LoadedModel) => Promise<T>,
): Promise<T> {
  const loaded = await engine.load(model, { ...options, ...(adapters && { adapters }) });
  try {
    return await use(loaded);
  } finally {
    await loaded.dispose();
  }
}

interface Answer {
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
  readonly cached: number;
}

async function answer(loaded: LoadedModel, more: Partial<GenerateRequest> = {}): Promise<Answer> {
  const { tokens, events, finish } = await collect(loaded, ask("one two three four five", { topLogprobs: 0, ...more }));
  const entries = events.flatMap((event) => (event.type === "token-delta" ? (event.logprobs ?? []) : []));
  return { tokens, logprobs: entries.map(({ logprob }) => logprob), cached: finish.usage.cachedTokens ?? 0 };
}

/** What each of several requests wants, and the load that gives llama.cpp the same. */
const cases: readonly (readonly [GenerateRequest["adapters"], LoadOptions["adapters"]])[] = [
  [[], []],
  [[{ adapter: paths.one }], both.slice(0, 1)],
  [[{ adapter: 1 }, { adapter: 0, scale: 0.7 }], both],
  [undefined, both],
];

const choose = (adapters: GenerateRequest["adapters"]): Partial<GenerateRequest> => (adapters ? { adapters } : {});

describe("adapters", () => {
  it("of requests that run at once change as much as llama.cpp's that has them for all", async () => {
    const theirs: Answer[] = [];
    for (const [, adapters] of cases.slice(0, 3)) theirs.push(await using(llama, adapters, answer));
    expect(new Set(theirs.map(({ tokens }) => tokens.join(" "))).size).toBe(3);
    await using(flint, both, async (loaded) => {
      const ours = await Promise.all(cases.map(([adapters]) => answer(loaded, choose(adapters))));
      for (const [index, { tokens, logprobs, cached }] of ours.entries()) {
        const wanted = theirs[Math.min(index, 2)];
        expect(cached).toBe(0);
        expect(tokens).toEqual(wanted?.tokens);
        // Caches of 16 bits, and sums in another order.
        logprobs.forEach((logprob, at) => expect(Math.abs(logprob - (wanted?.logprobs[at] ?? NaN))).toBeLessThan(0.02));
      }
    });
  });

  it("share no cache, unless they are the same", async () => {
    await using(flint, both, async (loaded) => {
      const cached: number[] = [];
      for (const [adapters] of cases) cached.push((await answer(loaded, choose(adapters))).cached);
      expect(cached.slice(0, 3)).toEqual([0, 0, 0]);
      expect(cached[3]).toBeGreaterThan(0);
      const error = await failure(answer(loaded, { adapters: [{ adapter: "elsewhere.gguf" }] }));
      expect(error.code).toBe("bad_request");
    });
  });

  it("cannot be chosen under llama.cpp, which says so", async () => {
    await using(llama, [], async (loaded) => {
      expect((await failure(answer(loaded, { adapters: [] }))).code).toBe("unsupported_option");
    });
  });

  it("that cannot be used end the load with an error that names them", async () => {
    const missing = join(folder, "none.gguf");
    expect((await failure(using(flint, [{ path: missing }], answer))).code).toBe("model_not_found");
    expect(await failure(using(flint, [{ path: paths.model }], answer))).toMatchObject({
      code: "model_unsupported",
      details: { adapter: "tiny.gguf" },
    });
  });
});
