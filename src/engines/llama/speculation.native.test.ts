import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, collect, failure } from "../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { Engine, EngineModel, GenerateRequest, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { LogprobEntry } from "../../spec/event.ts";
import { createEngines } from "../registry.ts";

let folder: string;
let engine: Engine;
let tiny: EngineModel;
/** The same model, one that guesses and one that does not. */
let guessing: LoadedModel;
let plain: LoadedModel;

const options: LoadOptions = { contextTokens: 512, parallel: 2, threads: 1, device: "cpu" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-llama-"));
  engine = await createEngines({ dataFolder: folder }).get("llama");
  const path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 512 });
  tiny = { name: "tiny", path, info: await inspectGguf(path) };
  guessing = await engine.load(tiny, options);
  plain = await engine.load(tiny, { ...options, speculation: "off" });
});
afterAll(async () => {
  await guessing?.dispose();
  await plain?.dispose();
  await rm(folder, { recursive: true, force: true });
});

const words = "one two three four five six seven eight nine ten eleven twelve".split(" ");
const prompt = (number: number): string =>
  Array.from({ length: 12 + (number % 12) }, (_, index) => words[(number * 7 + index) % words.length]).join(" ");

async function answers(model: LoadedModel, request: (index: number) => GenerateRequest, count: number) {
  const all = [];
  for (let index = 0; index < count; index++) all.push(await collect(model, request(index)));
  return all.map(({ text, tokens, finish }) => ({
    text,
    tokens,
    reason: finish.reason,
    stopString: finish.stopString,
  }));
}

/** How many tokens were guessed, and how many of them were right, while `work` ran. */
async function guessesOf(work: () => Promise<unknown>): Promise<{ guessed: number; right: number }> {
  const before = guessing.stats?.();
  await work();
  const after = guessing.stats?.();
  return {
    guessed: (after?.draftedTokens ?? 0) - (before?.draftedTokens ?? 0),
    right: (after?.acceptedTokens ?? 0) - (before?.acceptedTokens ?? 0),
  };
}

async function expectSame(request: (index: number) => GenerateRequest, count: number): Promise<void> {
  const wanted = await answers(plain, request, count);
  const counts = await guessesOf(async () => {
    const found = await answers(guessing, request, count);
    // Batches of another shape round differently, so that a close call may fall the other way.
    const same = found.filter((answer, index) => isDeepStrictEqual(answer, wanted[index])).length;
    expect(same).toBeGreaterThanOrEqual(Math.floor(count * 0.95));
  });
  guessed += counts.guessed;
}

/** Of all these tests: when it pays to guess depends on how fast the machine is at the moment. */
let guessed = 0;

describe("answers with guesses", () => {
  it("are those without, for fifty prompts", async () => {
    await expectSame((index) => ask(prompt(index), { maxTokens: 80, ignoreEos: true }), 50);
  });

  it("are those without under penalties, which look back on every token", async () => {
    const sampling = { temperature: 0, repeatPenalty: 1.1, frequencyPenalty: 0.05, repeatLastTokens: 24 };
    await expectSame((index) => ask(prompt(index), { maxTokens: 120, ignoreEos: true, sampling }), 12);
  });

  it("keep to a grammar, and end where it ends", async () => {
    const grammar = 'root ::= ("the cat sat on the mat. "){6} "and slept"';
    const request = (index: number): GenerateRequest =>
      ask(prompt(index), { maxTokens: 300, format: { type: "gbnf", grammar } });
    await expectSame(request, 3);
    const { text, finish } = await collect(guessing, request(5));
    expect(text.trim()).toBe(`${"the cat sat on the mat. ".repeat(6)}and slept`);
    expect(finish.reason).toBe("stop");
  });

  it("stop at a stop string in the middle of a guess, and can be continued", async () => {
    const grammar = 'root ::= ("tick tock "){12} "tickled " ("tick tock "){12}';
    const request = ask(prompt(1), { maxTokens: 200, format: { type: "gbnf", grammar }, stop: ["ickl"] });
    await expectSame(() => request, 2);
    expect((await collect(guessing, request)).text.trim()).toBe(`${"tick tock ".repeat(12)}t`);
    const next = { ...ask(prompt(1)), maxTokens: 8 };
    expect((await collect(guessing, next)).tokens).toEqual((await collect(plain, next)).tokens);
  });

  it("are as long as was asked for, to the end of the context", async () => {
    for (const maxTokens of [1, 2, 7, 5000]) {
      const { tokens, promptEnd, finish } = await collect(guessing, ask(prompt(2), { maxTokens, ignoreEos: true }));
      expect(tokens).toHaveLength(Math.min(maxTokens, 512 - promptEnd.promptTokens));
      expect(finish.reason).toBe("length");
    }
  });

  it("report the logprobs of every token", async () => {
    const format = { type: "gbnf", grammar: 'root ::= ("tick tock "){20}' } as const;
    const request = ask(prompt(3), { maxTokens: 100, topLogprobs: 2, format });
    const entriesOf = async (model: LoadedModel): Promise<LogprobEntry[]> =>
      (await collect(model, request)).events.flatMap((event) =>
        event.type === "token-delta" ? [...(event.logprobs ?? [])] : [],
      );
    const wanted = await entriesOf(plain);
    const found = await entriesOf(guessing);
    expect(found.map(({ token }) => token)).toEqual(wanted.map(({ token }) => token));
    // Batches of another shape round differently.
    found.forEach(({ logprob }, index) => expect(logprob).toBeCloseTo(wanted[index]?.logprob ?? NaN, 1));
  });

  it("of two requests at once stay apart", async () => {
    const requests = [1, 2].map((index) => ask(prompt(index), { maxTokens: 100, ignoreEos: true }));
    const wanted = await Promise.all(requests.map((request) => collect(plain, request)));
    const found = await Promise.all(requests.map((request) => collect(guessing, request)));
    expect(found.map(({ text }) => text)).toEqual(wanted.map(({ text }) => text));
  });

  it("were made at all", () => expect(guessed).toBeGreaterThan(0));

  it("are not guessed with a seed: the same seed gives the same bytes", async () => {
    const request = ask(prompt(4), { maxTokens: 100, ignoreEos: true, sampling: { temperature: 0.1, seed: 7 } });
    const counts = await guessesOf(async () => {
      expect(await answers(guessing, () => request, 1)).toEqual(await answers(plain, () => request, 1));
    });
    expect(counts.guessed).toBe(0);
  });
});

describe("a draft model", () => {
  const request = (index: number): GenerateRequest => ask(prompt(index), { maxTokens: 60, ignoreEos: true });

  it("of the same mind is right, and changes no answer", async () => {
    const model = await engine.load(tiny, { ...options, draft: { path: tiny.path } });
    expect(await answers(model, request, 10)).toEqual(await answers(plain, request, 10));
    const { draftedTokens = 0, acceptedTokens = 0 } = model.stats?.() ?? {};
    expect(draftedTokens).toBeGreaterThan(0);
    expect(acceptedTokens).toBeGreaterThan(draftedTokens * 0.9);
    await model.dispose();
  });

  it("of another mind changes no answer either", async () => {
    const path = await makeTinyLlama(join(folder, "other.gguf"), { seed: 2, context: 512, layers: 1 });
    const model = await engine.load(tiny, { ...options, draft: { path } });
    expect(await answers(model, request, 10)).toEqual(await answers(plain, request, 10));
    await model.dispose();
  });

  it("with another vocabulary, or that is no model, is refused with the reason", async () => {
    const strange = await makeTinyLlama(join(folder, "strange.gguf"), { seed: 1, vocabulary: 4000 });
    const noise = join(folder, "noise.gguf");
    await writeFile(noise, "no model at all");
    for (const [path, reason] of [
      [strange, /vocabulary/],
      [noise, /noise\.gguf/],
      [join(folder, "none.gguf"), /none\.gguf/],
    ] as const) {
      const error = await failure(engine.load(tiny, { ...options, draft: { path } }));
      expect(error.message).toMatch(reason);
    }
  });
});
