/** What the engine contract does not ask of every engine. */
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { badGrammars } from "../../../test/bad-grammars.ts";
import { ask, collect, failure } from "../../../test/engine-contract.ts";
import { makeTinyBert, makeTinyLlama } from "../../../test/make-model.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { EngineModel, GenerateRequest, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { createLocalFlint } from "./local.ts";

let folder: string;
let tiny: EngineModel;
let model: LoadedModel;

const prompt = "one two three four five six seven eight nine ten";

async function describeModel(path: string): Promise<EngineModel> {
  return { name: path.slice(folder.length + 1), path, info: await inspectGguf(path) };
}

async function load(target: EngineModel, more: LoadOptions = {}): Promise<LoadedModel> {
  return await createLocalFlint().load(target, { contextTokens: 512, parallel: 4, threads: 1, ...more });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-flint-"));
  tiny = await describeModel(await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 512 }));
  model = await load(tiny);
});
afterAll(async () => {
  await model.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Events until the end, or until the failure. */
async function eventTypes(request: GenerateRequest): Promise<string[]> {
  const types: string[] = [];
  try {
    for await (const { type } of model.generate?.(request) ?? []) types.push(type);
  } catch {
    types.push("failed");
  }
  return types;
}

describe("what cannot be done", () => {
  it.each([
    ["a bias of a token that is none", { sampling: { logitBias: new Map([[1_000_000, 1]]) } }],
    ["a grammar without a root", { format: { type: "gbnf", grammar: 'word ::= "a"' } }],
  ] as const)("is refused before the prompt begins: %s", async (_, more) => {
    expect(await eventTypes(ask(prompt, more))).toEqual(["failed"]);
    expect(await eventTypes(ask(prompt, { ...more, maxTokens: 0 }))).toEqual(["failed"]);
  });

  it.each(badGrammars)("is refused, and the engine lives on: a grammar with %s", async (_, grammar) => {
    const error = await failure(collect(model, ask(prompt, { format: { type: "gbnf", grammar }, maxTokens: 4 })));
    expect(error.code).toBe("grammar_invalid");
    expect((await collect(model, ask(prompt, { maxTokens: 1 }))).tokens).toHaveLength(1);
  });

  it("is refused as a token that the vocabulary does not have", async () => {
    for (const token of [-1, 1e9, 0.5]) {
      expect((await failure(collect(model, { ...ask(""), prompt: [5, token] }))).code).toBe("bad_request");
    }
    expect((await failure(model.detokenize([1e9]))).code).toBe("bad_request");
  });
});

describe("an answer", () => {
  it("can be told to end, and ends with the model's own word for it", async () => {
    const sampling = { temperature: 0, logitBias: new Map([[2, 100]]) };
    expect(await collect(model, ask(prompt, { sampling }))).toMatchObject({
      text: "",
      finish: { reason: "stop", usage: { completionTokens: 0 } },
    });
    const path = await makeTinyLlama(join(folder, "brief.gguf"), { seed: 1, endBias: 20 });
    const brief = await load(await describeModel(path));
    expect((await collect(brief, ask(prompt))).finish).toMatchObject({
      reason: "stop",
      usage: { completionTokens: 0 },
    });
    const on = await collect(brief, ask(prompt, { ignoreEos: true, maxTokens: 5 }));
    expect(on.finish).toMatchObject({ reason: "length", usage: { completionTokens: 5 } });
    expect(on.text).not.toContain("</s>");
    await brief.dispose();
  });

  it("comes in whole characters when the model writes them byte by byte", async () => {
    const format = { type: "gbnf", grammar: 'root ::= "a😀b"' } as const;
    const { events, text, finish } = await collect(model, ask(prompt, { format }));
    expect(text.trim()).toBe("a😀b");
    expect(finish.reason).toBe("stop");
    expect(events.filter((event) => event.type === "token-delta" && event.text === "")).toHaveLength(3);
  });

  it("keeps a byte order mark that it begins with", async () => {
    const format = { type: "gbnf", grammar: 'root ::= "\\uFEFFa"' } as const;
    expect((await collect(model, ask(prompt, { format }))).text).toBe("\uFEFFa");
  });

  it("is the same whether its prompt was in the cache or not, to the last bit", async () => {
    const request = ask(prompt, {
      tenant: "ann",
      sampling: { temperature: 1, seed: 7 },
      topLogprobs: 3,
      maxTokens: 20,
    });
    const [first, again] = [await collect(model, request), await collect(model, request)];
    expect([first.promptEnd.cachedTokens, again.promptEnd.cachedTokens]).toEqual([0, again.promptEnd.promptTokens - 1]);
    const logprobs = ({ events }: typeof first) =>
      events.map((event) => event.type === "token-delta" && event.logprobs);
    expect(logprobs(again)).toEqual(logprobs(first));
  });

  it("takes a slot whose reader is slow only as long as it is computed", async () => {
    const loaded = await load(tiny, { parallel: 1 });
    const reader = loaded.generate?.(ask(prompt, { maxTokens: 4, ignoreEos: true }))[Symbol.asyncIterator]();
    await reader?.next();
    const waiting = collect(loaded, ask(prompt, { maxTokens: 2 }));
    await reader?.return?.();
    expect((await waiting).tokens).toHaveLength(2);
    await loaded.dispose();
  });
});

describe("scoring a text", () => {
  it("gives the logprob of each token as a generation reports it", async () => {
    const { tokens, events } = await collect(model, ask(prompt, { topLogprobs: 3, maxTokens: 40, ignoreEos: true }));
    const begin = await model.tokenize([{ text: prompt, special: false }]);
    const scored = await model.score?.({ prompt: [...begin, ...tokens], topLogprobs: 3, from: begin.length });
    const reported = events.flatMap((event) => (event.type === "token-delta" ? [...(event.logprobs ?? [])] : []));
    expect(scored?.entries).toEqual(reported.map((entry) => ({ ...entry, rank: 1 })));
  });

  it("lets others answer while it is at a long one, and stops where its caller leaves", async () => {
    const loaded = await load(tiny, { batchTokens: 16, contextTokens: 2048 });
    const request = { prompt: Array.from({ length: 2000 }, (_, index) => 3 + (index % 400)), topLogprobs: 0 };
    const order: string[] = [];
    const scoring = loaded.score?.(request).then(() => order.push("scored"));
    await collect(loaded, ask(prompt, { maxTokens: 4 }));
    order.push("answered");
    await scoring;
    expect(order).toEqual(["answered", "scored"]);
    const controller = new AbortController();
    const left = failure(loaded.score?.(request, { signal: controller.signal }) ?? Promise.resolve());
    const after = loaded.score?.({ ...request, prompt: [5, 6, 7] });
    controller.abort();
    expect((await left).code).toBe("aborted");
    expect((await after)?.entries).toHaveLength(2);
    await loaded.dispose();
  });

  it("refuses one that is longer than the context", async () => {
    const tokens = (length: number): number[] => Array.from({ length }, () => 5);
    const score = async (length: number): Promise<unknown> =>
      await model.score?.({ prompt: tokens(length), topLogprobs: 0 });
    expect(await failure(score(513))).toMatchObject({
      code: "context_too_long",
      details: { promptTokens: 513, contextTokens: 512 },
    });
    expect(await score(512)).toMatchObject({ promptTokens: 512 });
  });
});

describe("loading", () => {
  it("says what is wrong with a file", async () => {
    const path = await makeTinyLlama(join(folder, "cut.gguf"), { seed: 1 });
    const whole = await describeModel(path);
    await truncate(path, 60_000);
    expect(["model_malformed", "engine_load_failed"]).toContain((await failure(load(whole))).code);
    await writeFile(path, "no model at all");
    expect(["model_malformed", "engine_load_failed"]).toContain((await failure(load(whole))).code);
    expect((await failure(load({ ...whole, path: `${path}.gone` }))).code).toBe("model_not_found");
  });

  it.each([{ batchTokens: 16 }, { parallel: 1 }, { threads: 3 }, { contextTokens: 80 }])(
    "works with %o",
    async (more) => {
      const loaded = await load(tiny, more);
      const { tokens } = await collect(loaded, ask(prompt.repeat(2), { maxTokens: 8 }));
      expect(tokens).toEqual((await collect(model, ask(prompt.repeat(2), { maxTokens: 8 }))).tokens);
      await loaded.dispose();
    },
  );

  it("gives up a long prompt at the next batch", async () => {
    const loaded = await load(tiny, { batchTokens: 16, parallel: 1, contextTokens: 2048 });
    const controller = new AbortController();
    const work = failure(collect(loaded, ask(prompt.repeat(20), { maxTokens: 1 }), controller.signal));
    setImmediate(() => controller.abort());
    expect((await work).code).toBe("aborted");
    expect((await collect(loaded, ask("next"))).tokens).toHaveLength(16);
    await loaded.dispose();
  });

  it("ends what runs, in its own process too", async () => {
    const loaded = await load(tiny, { parallel: 1 });
    const running = [1, 2, 3].map(() => failure(collect(loaded, ask(prompt, { maxTokens: 400, ignoreEos: true }))));
    await loaded.dispose();
    expect((await Promise.all(running)).map(({ code }) => code)).toEqual(running.map(() => "engine_failed"));
  });
});

describe("encoders", () => {
  it.each(["mean", "rank"] as const)("read texts as long as in their training, and no longer: %s", async (pooling) => {
    const path = await makeTinyBert(join(folder, `${pooling}.gguf`), { seed: 2, pooling, context: 300 });
    const loaded = await load(await describeModel(path), { contextTokens: 4096 });
    expect(loaded.contextTokens).toBe(300);
    const run = async (text: string): Promise<unknown> =>
      await (loaded.embed ? loaded.embed({ texts: [text] }) : loaded.rerank?.({ query: "a", documents: [text] }));
    await run("a ".repeat(290));
    expect(await failure(run("a ".repeat(299)))).toMatchObject({
      code: "context_too_long",
      details: { contextTokens: 300 },
    });
    await loaded.dispose();
  });
});
