/** The suite that every engine passes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HearthError } from "../src/error.ts";
import type { Engine, EngineModel, GenerateRequest, LoadedModel, LoadOptions, PromptPart } from "../src/spec/engine.ts";
import type { GenerateEvent } from "../src/spec/event.ts";

export interface EngineSubject {
  readonly engine: Engine;
  /** A model that generates, with at least 256 tokens of context, and is unlikely to end within 64 tokens. */
  readonly model: EngineModel;
  readonly embedModel?: EngineModel;
  readonly rerankModel?: EngineModel;
  /** A model that sees, and two pictures that take as many tokens. Absent: `model` must refuse pictures. */
  readonly pictures?: { readonly model: EngineModel; readonly bytes: readonly [Uint8Array, Uint8Array] };
  /** Kills the loaded model as `kill -9` does. */
  kill(model: LoadedModel): void;
}

export interface ContractOptions {
  /** Makes the engine and its models; called once. */
  readonly create: () => Promise<EngineSubject>;
  /** Longest time between an abort and the end of the stream, ms. */
  readonly stepMs?: number;
}

// One thread: tests share the processor, and threads that wait for each other suffer most.
const load: LoadOptions = { contextTokens: 256, parallel: 4, device: "cpu", threads: 1 };

type FinishEvent = Extract<GenerateEvent, { type: "finish" }>;

/** One generation, taken apart. */
export interface Generated {
  readonly events: readonly GenerateEvent[];
  readonly text: string;
  readonly tokens: readonly number[];
  readonly promptEnd: Extract<GenerateEvent, { type: "prompt-end" }>;
  readonly finish: FinishEvent;
}

export async function collect(model: LoadedModel, request: GenerateRequest, signal?: AbortSignal): Promise<Generated> {
  const events: GenerateEvent[] = [];
  for await (const event of stream(model, request, signal)) events.push(event);
  const promptEnd = events.find((event) => event.type === "prompt-end");
  const finish = events.at(-1);
  if (promptEnd?.type !== "prompt-end" || finish?.type !== "finish") throw new Error("the stream is not whole");
  const deltas = events.filter((event) => event.type === "token-delta");
  return {
    events,
    promptEnd,
    finish,
    text: deltas.map((event) => event.text).join(""),
    tokens: deltas.flatMap((event) => [...event.tokens]),
  };
}

function stream(model: LoadedModel, request: GenerateRequest, signal?: AbortSignal): AsyncIterable<GenerateEvent> {
  if (!model.generate) throw new Error("the model does not generate");
  return model.generate(request, signal ? { signal } : {});
}

export function ask(text: string, more: Partial<GenerateRequest> = {}): GenerateRequest {
  return { prompt: [{ text, special: false }], sampling: { temperature: 0 }, maxTokens: 16, ...more };
}

export async function failure(work: Promise<unknown>): Promise<HearthError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw new Error("expected a HearthError", { cause: error });
  }
  throw new Error("expected a failure");
}

const long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen ";

export function describeEngine(name: string, options: ContractOptions): void {
  describe(`the engine contract: ${name}`, () => {
    let subject: EngineSubject;
    let model: LoadedModel;

    beforeAll(async () => {
      subject = await options.create();
      model = await subject.engine.load(subject.model, load);
    });
    afterAll(async () => {
      await model?.dispose();
    });

    describeStreams(() => model, options);
    describeOutput(() => model);
    describeScores(
      () => model,
      () => subject,
    );
    describeSharing(() => model);
    describeVectors(() => subject);
    describePictures(() => subject);
    describeLives(() => subject);
  });
}

function describeStreams(get: () => LoadedModel, { stepMs = 2000 }: ContractOptions): void {
  it("tells what was loaded", () => {
    const model = get();
    expect(model).toMatchObject({ contextTokens: 256, parallel: 4, device: "cpu" });
    expect(model.capabilities).toContain("generate");
    expect(model.memory().ramBytes).toBeGreaterThan(0);
    expect(model.samplingOptions.has("temperature")).toBe(true);
  });

  it("streams the end of the prompt, tokens and one finish, with counts that agree", async () => {
    const { events, promptEnd, finish, tokens } = await collect(get(), ask(long));
    const types = events.map(({ type }) => type);
    expect(types.slice(0, 2)).toEqual(["prompt-start", "prompt-end"]);
    expect(types.filter((type) => type === "prompt-end")).toHaveLength(1);
    expect(types.filter((type) => type === "finish")).toHaveLength(1);
    expect(promptEnd.promptTokens).toBe((await get().tokenize([{ text: long, special: false }])).length);
    expect(finish.usage).toEqual({
      promptTokens: promptEnd.promptTokens,
      cachedTokens: promptEnd.cachedTokens,
      completionTokens: tokens.length,
    });
    expect(finish.promptMs).toBeGreaterThanOrEqual(0);
    expect(finish.generateMs).toBeGreaterThanOrEqual(0);
  });

  it("stops at the most tokens that were asked for, and says so", async () => {
    const { finish, tokens } = await collect(get(), ask(long, { maxTokens: 3 }));
    expect(tokens).toHaveLength(3);
    expect(finish.reason).toBe("length");
    const none = await collect(get(), ask(long, { maxTokens: 0 }));
    expect(none.tokens).toHaveLength(0);
    expect(none.finish.reason).toBe("length");
  });

  it("stops with length when the context is full", async () => {
    const { finish, promptEnd, tokens } = await collect(get(), ask(long, { ignoreEos: true, maxTokens: 5000 }));
    expect(finish.reason).toBe("length");
    expect(promptEnd.promptTokens + tokens.length).toBe(256);
  });

  it("refuses a prompt that does not fit, before any work", async () => {
    const text = long.repeat(30);
    const promptTokens = (await get().tokenize([{ text, special: false }])).length;
    const error = await failure(collect(get(), ask(text)));
    expect(error.code).toBe("context_too_long");
    expect(error.details).toMatchObject({ promptTokens, contextTokens: 256 });
  });

  it("takes tokens for a prompt", async () => {
    const prompt = await get().tokenize([{ text: long, special: false }]);
    const fromTokens = await collect(get(), { ...ask(""), prompt, maxTokens: 4 });
    const fromText = await collect(get(), ask(long, { maxTokens: 4 }));
    expect(fromTokens.promptEnd.promptTokens).toBe(prompt.length);
    expect(fromTokens.tokens).toEqual(fromText.tokens);
  });

  it("turns tokens back into their text", async () => {
    const tokens = await get().tokenize([{ text: "some plain words", special: false }]);
    expect((await get().detokenize(tokens)).trim()).toBe("some plain words");
  });

  it("ends within one step of an abort, and the slot is free again", async () => {
    for (let round = 0; round < 6; round++) {
      const controller = new AbortController();
      let abortedAt = 0;
      const error = await failure(
        (async () => {
          const request = ask(`${round} ${long}`, { maxTokens: 200, ignoreEos: true });
          for await (const event of stream(get(), request, controller.signal)) {
            if (event.type !== "token-delta" || abortedAt > 0) continue;
            abortedAt = performance.now();
            controller.abort();
          }
        })(),
      );
      expect(error.code).toBe("aborted");
      expect(performance.now() - abortedAt).toBeLessThan(stepMs);
    }
    const after = await Promise.all([1, 2, 3, 4].map((index) => collect(get(), ask(`${index} ${long}`))));
    expect(after.every(({ finish }) => finish.usage.completionTokens > 0)).toBe(true);
  });

  it("does nothing for a caller who is gone already", async () => {
    expect((await failure(collect(get(), ask(long), AbortSignal.abort()))).code).toBe("aborted");
  });

  it("frees the slot of a reader who leaves the loop", async () => {
    for (let round = 0; round < 9; round++) {
      for await (const event of stream(get(), ask(`${round} ${long}`, { maxTokens: 100, ignoreEos: true }))) {
        if (event.type === "token-delta") break;
      }
    }
    expect((await collect(get(), ask(long))).tokens.length).toBeGreaterThan(0);
  });
}

function describeOutput(get: () => LoadedModel): void {
  it("gives the same bytes for the same seed", async () => {
    const request = ask(long, { sampling: { temperature: 1, seed: 42 }, maxTokens: 24 });
    const first = await collect(get(), request);
    const second = await collect(get(), request);
    expect(second.text).toBe(first.text);
    expect(second.tokens).toEqual(first.tokens);
  });

  it("stops before a stop string and never shows a part of it", async () => {
    const whole = await collect(get(), ask(long, { maxTokens: 16 }));
    const stop = whole.text.slice(Math.floor(whole.text.length / 2)).slice(0, 4);
    const { text, finish, events } = await collect(
      get(),
      ask(long, { maxTokens: 16, stop: ["never said \u0001", stop] }),
    );
    expect(finish).toMatchObject({ reason: "stop", stopString: stop });
    expect(text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
    let shown = "";
    for (const event of events) if (event.type === "token-delta") shown += event.text;
    expect(whole.text.startsWith(shown)).toBe(true);
  });

  it("shows whole characters only", async () => {
    const { events } = await collect(
      get(),
      ask("grüße 😀 日本語 naïve café 🎉 ünï", { maxTokens: 32, ignoreEos: true }),
    );
    const texts = events.map((event) => (event.type === "token-delta" ? event.text : ""));
    expect(texts.filter((text) => !text.isWellFormed())).toEqual([]);
  });

  it("reports logprobs of the chosen and the most likely tokens", async () => {
    const { events } = await collect(get(), ask(long, { maxTokens: 6, topLogprobs: 5 }));
    const entries = events.flatMap((event) => (event.type === "token-delta" ? [...(event.logprobs ?? [])] : []));
    const tokens = events.flatMap((event) => (event.type === "token-delta" ? [...event.tokens] : []));
    expect(entries.map(({ token }) => token)).toEqual(tokens);
    for (const entry of entries) {
      expect(entry.top).toHaveLength(5);
      const shares = entry.top.map(({ logprob }) => Math.exp(logprob));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1.0001);
      expect(shares).toEqual(shares.toSorted((a, b) => b - a));
      // Greedy: the chosen token is the most likely one.
      expect(entry.logprob).toBeCloseTo(entry.top[0]?.logprob ?? 0, 5);
      expect(entry.bytes.length).toBeGreaterThan(0);
    }
    const bare = await collect(get(), ask(long, { maxTokens: 2, topLogprobs: 0 }));
    const first = bare.events.find((event) => event.type === "token-delta");
    expect(first?.type === "token-delta" && first.logprobs?.[0]?.top).toEqual([]);
    const none = await collect(get(), ask(long, { maxTokens: 1 }));
    expect(none.events.some((event) => event.type === "token-delta" && event.logprobs !== undefined)).toBe(false);
  });

  it("answers in JSON when asked to", async () => {
    for (const seed of [1, 2, 3]) {
      const request = ask(long, { format: { type: "json" }, sampling: { temperature: 1, seed }, maxTokens: 200 });
      const { text, finish } = await collect(get(), request);
      // An answer that was cut off is only a beginning of one.
      const answer: unknown = finish.reason === "stop" ? JSON.parse(text) : {};
      expect(typeof answer).toBe("object");
      expect(text.startsWith("{")).toBe(true);
    }
  });

  it("keeps to a schema", async () => {
    const schema = {
      type: "object",
      properties: { kind: { enum: ["cat", "dog"] }, lives: { type: "boolean" } },
      required: ["kind", "lives"],
      additionalProperties: false,
    };
    const { text, finish } = await collect(
      get(),
      ask(long, { format: { type: "json-schema", schema }, maxTokens: 128 }),
    );
    expect(finish.reason).toBe("stop");
    const value = JSON.parse(text) as { kind: string; lives: boolean };
    expect(Object.keys(value)).toEqual(["kind", "lives"]);
    expect(["cat", "dog"]).toContain(value.kind);
    expect(typeof value.lives).toBe("boolean");
  });

  it("fails closed on a schema that it cannot enforce", async () => {
    const schema = { type: "object", properties: { a: { not: { type: "string" } } } };
    const error = await failure(collect(get(), ask(long, { format: { type: "json-schema", schema } })));
    expect(error.code).toBe("grammar_invalid");
    expect(error.message).toContain('"not"');
  });
}

function describeScores(get: () => LoadedModel, getSubject: () => EngineSubject): void {
  it("says how likely a prompt is in the numbers of a generation", async (test) => {
    const { engine, model: described } = getSubject();
    // llama.cpp's flash attention rounds otherwise where one row is computed than where many are, by up to a hundredth.
    const model = await engine.load(described, { ...load, flashAttention: false });
    test.onTestFinished(() => model.dispose());
    if (!model.score) return test.skip("the engine does not score");
    const request = ask(long, { maxTokens: 12, topLogprobs: 3, ignoreEos: true });
    const { events, tokens, promptEnd } = await collect(model, request);
    const generated = events.flatMap((event) => (event.type === "token-delta" ? [...(event.logprobs ?? [])] : []));
    const before = await model.tokenize([{ text: long, special: false }]);
    const { promptTokens, first, entries } = await model.score({ prompt: [...before, ...tokens], topLogprobs: 3 });
    expect(promptTokens).toBe(promptEnd.promptTokens + tokens.length);
    expect([first.token, ...entries.map(({ token }) => token)]).toEqual([...before, ...tokens]);
    const answer = entries.slice(-tokens.length);
    // llama.cpp's last bits depend on the rows of a batch; others compute each row by itself.
    const places = model.engine === "llama" ? 2 : 3;
    answer.forEach((entry, index) => {
      const other = generated[index];
      expect(entry.logprob).toBeCloseTo(other?.logprob ?? NaN, places);
      expect([entry.text, entry.bytes, entry.rank]).toEqual([other?.text, other?.bytes, 1]);
      expect(entry.top).toHaveLength(3);
      entry.top.forEach(({ logprob }, place) => expect(logprob).toBeCloseTo(other?.top[place]?.logprob ?? NaN, places));
    });
    for (const { logprob, bytes } of entries) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(bytes.length).toBeGreaterThan(0);
    }
    return undefined;
  });

  it("scores text, only the end of it, and with no alternatives", async (test) => {
    const model = get();
    if (!model.score) return test.skip("the engine does not score");
    const prompt = [{ text: long, special: false }];
    const all = await model.score({ prompt, topLogprobs: 0 });
    expect(all.promptTokens).toBe((await model.tokenize(prompt)).length);
    expect(all.entries).toHaveLength(all.promptTokens - 1);
    expect(all.entries.every(({ top }) => top.length === 0)).toBe(true);
    const end = await model.score({ prompt, topLogprobs: 0, from: all.promptTokens - 4 });
    expect(end.entries.map(({ token }) => token)).toEqual(all.entries.slice(-4).map(({ token }) => token));
    end.entries.forEach(({ logprob }, index) =>
      expect(logprob).toBeCloseTo(all.entries.at(index - 4)?.logprob ?? NaN, 3),
    );
    return undefined;
  });

  it("scores a prompt that fills the context, beside generations, and refuses a longer one", async (test) => {
    const model = get();
    if (!model.score) return test.skip("the engine does not score");
    const tokens = await model.tokenize([{ text: long.repeat(20), special: false }]);
    const score = async (length: number): Promise<unknown> =>
      await model.score?.({ prompt: tokens.slice(0, length), topLogprobs: 1 });
    const [full, generated] = await Promise.all([score(256), collect(model, ask(long)), score(200)]);
    expect(full).toMatchObject({ promptTokens: 256 });
    expect(generated.finish.usage.completionTokens).toBeGreaterThan(0);
    expect(await failure(score(257))).toMatchObject({
      code: "context_too_long",
      details: { promptTokens: 257, contextTokens: 256 },
    });
    return undefined;
  });

  it("gives up scoring when the caller does, and can go on", async (test) => {
    const model = get();
    if (!model.score) return test.skip("the engine does not score");
    const controller = new AbortController();
    const request = { prompt: [{ text: long, special: false }], topLogprobs: 0 };
    const work = failure(model.score(request, { signal: controller.signal }));
    controller.abort();
    expect((await work).code).toBe("aborted");
    expect((await failure(model.score(request, { signal: AbortSignal.abort() }))).code).toBe("aborted");
    expect((await model.score(request)).promptTokens).toBeGreaterThan(0);
    return undefined;
  });
}

function describeSharing(get: () => LoadedModel): void {
  it("runs many requests at once, more than it has sequences, each with its own answer", async () => {
    const prompts = Array.from({ length: 11 }, (_, index) => `${index} and ${long}`);
    const alone: string[] = [];
    for (const prompt of prompts)
      alone.push((await collect(get(), ask(prompt, { tenant: "alone", maxTokens: 4 }))).text);
    const together = await Promise.all(
      prompts.map((prompt) => collect(get(), ask(prompt, { tenant: "together", maxTokens: 4 }))),
    );
    expect(together.every(({ finish }) => finish.usage.completionTokens > 0)).toBe(true);
    // Batches of different shape may differ in the last bits, so that a close call falls the other way.
    const same = together.filter(({ text }, index) => text === alone[index]).length;
    expect(same).toBeGreaterThanOrEqual(9);
  });

  it("counts what it has done, where it counts", async (test) => {
    const before = get().stats?.();
    if (!before) return test.skip("the engine has no statistics");
    const prompt = `counted: ${long}`;
    const runs: FinishEvent["usage"][] = [];
    for (let round = 0; round < 2; round++) {
      runs.push((await collect(get(), ask(prompt, { tenant: "counted", maxTokens: 4 }))).finish.usage);
    }
    const after = get().stats?.() ?? before;
    const sum = (count: (usage: FinishEvent["usage"]) => number): number =>
      runs.reduce((total, usage) => total + count(usage), 0);
    expect(after.promptTokens - before.promptTokens).toBe(sum(({ promptTokens }) => promptTokens));
    const found = (stats: typeof after): number => stats.cachedTokens + stats.restoredTokens;
    expect(found(after) - found(before)).toBe(sum(({ cachedTokens }) => cachedTokens));
    // A last token that ended the text may be counted too.
    expect(after.generatedTokens - before.generatedTokens).toBeGreaterThanOrEqual(
      sum(({ completionTokens }) => completionTokens),
    );
    expect(after).toMatchObject({ running: 0, waiting: 0 });
    return undefined;
  });

  it("reuses what one tenant has computed, for that tenant alone", async () => {
    const prompt = `a prompt of its own that nobody else has sent: ${long}`;
    const first = await collect(get(), ask(prompt, { tenant: "ann" }));
    expect(first.promptEnd.cachedTokens).toBe(0);
    const again = await collect(get(), ask(prompt, { tenant: "ann" }));
    expect(again.promptEnd.cachedTokens).toBe(again.promptEnd.promptTokens - 1);
    const other = await collect(get(), ask(prompt, { tenant: "bob" }));
    expect(other.promptEnd.cachedTokens).toBe(0);
    const nobody = await collect(get(), ask(prompt));
    expect(nobody.promptEnd.cachedTokens).toBe(0);
    expect(again.text).toBe(first.text);
    expect(other.text).toBe(first.text);
  });
}

function describeVectors(get: () => EngineSubject): void {
  it("embeds texts as vectors of length one, alike for like texts", async (test) => {
    const { engine, embedModel } = get();
    if (!embedModel) return test.skip("the engine embeds nothing");
    const model = await engine.load(embedModel, { device: "cpu", threads: 1 });
    try {
      const result = await model.embed?.({ texts: ["a small cat", "another text", "a small cat"] });
      if (!result) throw new Error("the model does not embed");
      expect(result.vectors).toHaveLength(3);
      for (const vector of result.vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 4);
      expect(result.tokens).toBeGreaterThan(0);
      expect(dot(result.vectors[0], result.vectors[2])).toBeCloseTo(1, 4);
      expect(dot(result.vectors[0], result.vectors[1])).toBeLessThan(0.9999);
      const tooLong = await failure(model.embed?.({ texts: ["fine", "word ".repeat(10_000)] }) ?? Promise.resolve());
      expect(tooLong.code).toBe("context_too_long");
      expect(tooLong.details).toMatchObject({
        index: 1,
        contextTokens: expect.any(Number),
        promptTokens: expect.any(Number),
      });
      const aborted = model.embed?.({ texts: ["a"] }, { signal: AbortSignal.abort() });
      expect((await failure(aborted ?? Promise.resolve())).code).toBe("aborted");
    } finally {
      await model.dispose();
    }
    return undefined;
  });

  it("ranks documents with scores from 0 to 1", async (test) => {
    const { engine, rerankModel } = get();
    if (!rerankModel) return test.skip("the engine ranks nothing");
    const model = await engine.load(rerankModel, { device: "cpu", threads: 1 });
    try {
      const documents = ["the cat sat", "stock prices", "the cat sat"];
      const result = await model.rerank?.({ query: "where did the cat sit", documents });
      if (!result) throw new Error("the model does not rank");
      expect(result.scores).toHaveLength(3);
      for (const score of result.scores) expect(score >= 0 && score <= 1).toBe(true);
      expect(result.scores[0]).toBeCloseTo(result.scores[2] ?? -1, 5);
      expect(result.tokens).toBeGreaterThan(0);
    } finally {
      await model.dispose();
    }
    return undefined;
  });
}

function describePictures(get: () => EngineSubject): void {
  const about = (bytes: Uint8Array, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
    ...ask("", { maxTokens: 8, ...more }),
    prompt: [{ text: long, special: false }, { image: { bytes } }, { text: "what is it", special: false }],
  });

  it("refuses a picture where it sees none", async (test) => {
    const { engine, model: described, pictures } = get();
    if (pictures) return test.skip("the engine sees pictures");
    const model = await engine.load(described, load);
    test.onTestFinished(() => model.dispose());
    const error = await failure(collect(model, about(Uint8Array.of(1, 2, 3))));
    expect(error).toMatchObject({ code: "unsupported_capability", details: { capability: "vision" } });
    return undefined;
  });

  it("answers about a picture in its place", async (test) => {
    const { engine, pictures } = get();
    if (!pictures) return test.skip("the engine sees no pictures");
    const model = await engine.load(pictures.model, load);
    test.onTestFinished(() => model.dispose());
    const [one, other] = pictures.bytes;
    const first = await collect(model, about(one, { tenant: "ann" }));
    const { promptTokens } = first.promptEnd;
    expect(promptTokens).toBe((await model.tokenize(about(one).prompt as PromptPart[])).length);
    expect(promptTokens).toBeGreaterThan(
      (await model.tokenize([{ text: `${long}what is it`, special: false }])).length,
    );
    const again = await collect(model, about(one, { tenant: "ann" }));
    expect(again.promptEnd).toMatchObject({ promptTokens, cachedTokens: promptTokens - 1 });
    expect(again.tokens).toEqual(first.tokens);
    // Of another picture no more is shared than the text before it; of another tenant's nothing.
    const before = (await model.tokenize([{ text: long, special: false }])).length;
    const changed = await collect(model, about(other, { tenant: "ann" }));
    expect(changed.promptEnd.promptTokens).toBe(promptTokens);
    expect(changed.promptEnd.cachedTokens).toBeLessThanOrEqual(before);
    expect((await collect(model, about(one, { tenant: "bob" }))).promptEnd.cachedTokens).toBe(0);
    expect((await failure(collect(model, about(one), AbortSignal.abort()))).code).toBe("aborted");
    return undefined;
  });
}

function dot(a: Float32Array | undefined, b: Float32Array | undefined): number {
  return [...(a ?? [])].reduce((sum, value, index) => sum + value * (b?.[index] ?? 0), 0);
}

function describeLives(get: () => EngineSubject): void {
  it("reports the progress of a load", async () => {
    const { engine, model } = get();
    const seen: string[] = [];
    const loaded = await engine.load(model, load, { onProgress: ({ phase }) => seen.push(phase) });
    await loaded.dispose();
    expect(seen).toContain("load");
  });

  it("gives up loading when the caller does", async () => {
    const { engine, model } = get();
    const work = engine.load(model, load, { signal: AbortSignal.abort() });
    await expect(work).rejects.toThrow(/abort|cancel/i);
  });

  it("ends requests in flight when it is unloaded, however often", async () => {
    const { engine, model } = get();
    const loaded = await engine.load(model, load);
    const reading = failure(
      (async () => {
        for await (const event of stream(loaded, ask(long, { maxTokens: 200, ignoreEos: true }))) {
          if (event.type === "token-delta") void loaded.dispose();
        }
      })(),
    );
    expect((await reading).code).toBe("engine_failed");
    await Promise.all([loaded.dispose(), loaded.dispose()]);
    await loaded.dispose();
    expect((await failure(collect(loaded, ask(long)))).code).toBe("engine_failed");
  });

  it("survives its own death: the stream ends with an error, `died` resolves, the next load works", async () => {
    const { engine, model } = get();
    const loaded = await engine.load(model, load);
    const error = await failure(
      (async () => {
        for await (const event of stream(loaded, ask(long, { maxTokens: 200, ignoreEos: true }))) {
          if (event.type === "token-delta") get().kill(loaded);
        }
      })(),
    );
    expect(error.code).toBe("engine_failed");
    expect(error.message).toMatch(/SIGKILL/);
    await loaded.died;
    expect((await failure(loaded.tokenize([{ text: "a", special: false }]))).code).toBe("engine_failed");
    await loaded.dispose();
    const next = await engine.load(model, load);
    expect((await collect(next, ask(long))).tokens.length).toBeGreaterThan(0);
    await next.dispose();
  });
}
