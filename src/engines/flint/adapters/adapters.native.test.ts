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

async function using<T>(engine: Engine, adapters: LoadOptions["adapters"], use: (loaded: LoadedModel) => Promise<T>): Promise<T> {
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

describe("adapters", () => {
  it.each([["none", []], ["one", both.slice(0, 1)], ["two", both]] as const)("change as much as with llama.cpp: %s", async (_, adapters) => {
    const [ours, theirs] = [await using(flint, adapters, answer), await using(llama, adapters, answer)];
    expect(ours.tokens).toEqual(theirs.tokens);
    ours.logprobs.forEach((logprob, index) => expect(logprob).toBeCloseTo(theirs.logprobs[index] ?? Number.NaN, 2));
  });

  it("are chosen by each of several requests that run at once, which share no cache", async () => {
    const choices: NonNullable<GenerateRequest["adapters"]>[] = [[], [{ adapter: paths.one }], [{ adapter: 1 }, { adapter: 0, scale: 0.7 }]];
    const loads = [[], both.slice(0, 1), both];
    const alone: Answer[] = [];
    for (const adapters of loads) alone.push(await using(flint, adapters, answer));
    expect(new Set(alone.map(({ tokens }) => tokens.join(" "))).size).toBe(3);
    await using(flint, both, async (loaded) => {
      const together = await Promise.all(choices.map((adapters) => answer(loaded, { adapters })));
      together.forEach((one, index) => expect(one.tokens).toEqual(alone[index]?.tokens));
      expect(await answer(loaded, { adapters: [{ adapter: 0, scale: 0.1 }] })).toMatchObject({ cached: 0 });
      for (const more of [{}, ...choices.map((adapters) => ({ adapters }))]) {
        expect((await answer(loaded, more)).cached).toBeGreaterThan(0);
      }
      const error = await failure(answer(loaded, { adapters: [{ adapter: "elsewhere.gguf" }] }));
      expect(error.code).toBe("bad_request");
    });
  });

  it("are chosen with the model alone under llama.cpp, which says so", async () => {
    await using(llama, both, async (loaded) => {
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
