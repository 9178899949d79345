/** However many threads and requests there are, a request gets the bits that it gets alone. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect } from "../../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../../test/make-model.ts";
import { inspectGguf } from "../../../models/inspect.ts";
import type { GenerateRequest, LoadedModel, LoadOptions } from "../../../spec/engine.ts";
import { findFixture, fixtureBytes } from "../__fixtures__/fixtures.ts";
import { createLocalFlint } from "../local.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-threads-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function load(path: string, options: LoadOptions): Promise<LoadedModel> {
  const model = { name: "tiny", path, info: await inspectGguf(path) };
  return await createLocalFlint().load(model, { contextTokens: 128, ...options });
}

/** Prompts of many lengths; greedy ones and drawn ones. */
const requests = Array.from({ length: 48 }, (_, index): GenerateRequest => ({
  prompt: Array.from({ length: 1 + ((index * 7) % 50) }, (_, at) => 1 + ((index * 31 + at * 17) % 250)),
  sampling: index % 3 === 0 ? { temperature: 0 } : { temperature: 1, seed: index },
  maxTokens: 3 + (index % 30),
  topLogprobs: 2,
  ignoreEos: true,
}));

/** The tokens, and logprobs of them, which tell the logits. */
async function answer(model: LoadedModel, request: GenerateRequest): Promise<string> {
  const { events } = await collect(model, request);
  return JSON.stringify(
    events.map((event) => (event.type === "token-delta" ? [event.tokens, event.logprobs] : undefined)),
  );
}

async function answerAlone(path: string, more: LoadOptions): Promise<string[]> {
  const model = await load(path, { threads: 1, parallel: 1, ...more });
  const answers: string[] = [];
  for (const request of requests) answers.push(await answer(model, request));
  await model.dispose();
  return answers;
}

describe.each([
  ["a llama", {}, async () => await makeTinyLlama(join(folder, "llama.gguf"), { seed: 1, embedding: 128, layers: 4 })],
  [
    "a llama with its cache in 8 bits",
    { kvTypeK: "q8_0", kvTypeV: "q8_0" },
    async () => await makeTinyLlama(join(folder, "coded.gguf"), { seed: 1, embedding: 128, layers: 4 }),
  ],
  [
    "a mixture of experts",
    {},
    async () => {
      const path = join(folder, "experts.gguf");
      await writeFile(path, fixtureBytes(findFixture("qwen2moe")));
      return path;
    },
  ],
] as const)("%s", (_, more, make) => {
  it("answers many at once, with threads that are in each other's way, as it answers each alone", async () => {
    const path = await make();
    const alone = await answerAlone(path, more);
    for (const [threads, parallel] of [
      [2, 6],
      [5, 12],
      [3, 1],
    ] as const) {
      const model = await load(path, { threads, parallel, ...more });
      const together = await Promise.all(requests.map((request) => answer(model, request)));
      expect(together.map((text, index) => text === alone[index])).toEqual(alone.map(() => true));
      await model.dispose();
    }
  });
});
