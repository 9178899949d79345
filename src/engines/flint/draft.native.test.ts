/** Speculation with a second model: its guesses change the speed, and nothing else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect, failure } from "../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { GenerateRequest, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { createLocalFlint } from "./local.ts";

let folder: string;
let [path, other, foreign] = ["", "", ""];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-draft-"));
  path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 512 });
  other = await makeTinyLlama(join(folder, "other.gguf"), { seed: 2, context: 512, layers: 1 });
  foreign = await makeTinyLlama(join(folder, "foreign.gguf"), { seed: 1, context: 512, vocabulary: 4000 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(options: LoadOptions): Promise<LoadedModel> {
  const model = { name: "tiny", path, info: await inspectGguf(path) };
  return await createLocalFlint().load(model, { contextTokens: 512, parallel: 4, threads: 2, ...options });
}

const requests: readonly GenerateRequest[] = [
  ask("one two three four five", { maxTokens: 80, ignoreEos: true }),
  ask("an entirely different text", { maxTokens: 80, ignoreEos: true, sampling: { temperature: 1.5, seed: 3 } }),
  ask("penalties", { maxTokens: 60, ignoreEos: true, sampling: { temperature: 0, repeatPenalty: 1.3 } }),
  ask("numbers", {
    maxTokens: 40,
    sampling: { temperature: 0 },
    format: { type: "gbnf", grammar: "root ::= [0-9 ]+" },
  }),
];

async function answers(model: LoadedModel): Promise<unknown[]> {
  const all = await Promise.all(requests.map((request) => collect(model, { ...request, topLogprobs: 2 })));
  return all.map(({ events }) => events.filter(({ type }) => type === "token-delta"));
}

describe("a draft model", () => {
  it("changes no answer, however good or bad its guesses are", { timeout: 120_000 }, async () => {
    const plain = await load({ speculation: "off" });
    const expected = await answers(plain);
    await plain.dispose();
    const seen: number[] = [];
    for (const draft of [path, other]) {
      const model = await load({ draft: { path: draft } });
      expect(await answers(model)).toEqual(expected);
      const { draftedTokens = 0, acceptedTokens = 0 } = model.stats?.() ?? {};
      seen.push(acceptedTokens / Math.max(1, draftedTokens));
      await model.dispose();
    }
    // The model itself is the best guesser there is.
    expect(seen[0]).toBeGreaterThan(0.5);
  });

  it("is refused where its tokens are others", async () => {
    expect(await failure(load({ draft: { path: foreign } }))).toMatchObject({
      code: "model_unsupported",
      message: expect.stringContaining("foreign.gguf"),
    });
  });
});
