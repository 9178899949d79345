import { describe, expect, it } from "vitest";
import { collect, createTaskHouse, eventOf, promptOf, textOf } from "../../test/task-house.ts";
import { qwen3 } from "../chat/__fixtures__/templates.ts";
import type { ChatEvent } from "../spec/event.ts";
import type { Message, Tool } from "../spec/message.ts";
import type { ModelInfo } from "../spec/model.ts";
import type { Sampling } from "../spec/sampling.ts";
import type { ChatRequest } from "../spec/task.ts";
import { createDeferred } from "../util/deferred.ts";
import { chat } from "./chat.ts";

const messages: readonly Message[] = [{ role: "user", content: "Hi there" }];
const ask: ChatRequest = { model: "tiny", messages };
const weather: Tool = { name: "weather", parameters: { type: "object", properties: { place: { type: "string" } } } };
const thinker: Partial<ModelInfo> = {
  chatTemplate: qwen3,
  capabilities: ["generate", "chat", "tools", "thinking"],
  specialTokens: ["<|im_start|>", "<|im_end|>"],
};

describe("a chat", () => {
  it("streams the answer between start and finish, with usage and timings", async () => {
    const house = createTaskHouse({ reply: "Hello, you." });
    const events = await collect(chat(house.runtime, ask));
    expect(events.map(({ type }) => type)).toEqual(["start", "text-delta", "text-delta", "finish"]);
    expect(events[0]).toEqual({ type: "start", model: "tiny:latest" });
    expect(textOf(events)).toBe("Hello, you.");
    const finish = eventOf(events, "finish");
    expect(finish).toMatchObject({ index: 0, reason: "stop", usage: { completionTokens: 2 } });
    for (const ms of Object.values(finish.timings)) expect(ms).toBeGreaterThanOrEqual(0);
    expect(finish.timings.totalMs).toBeGreaterThanOrEqual(finish.timings.promptMs + finish.timings.generateMs - 1);
    expect(house.runtime.stats().running).toBe(0);
  });

  it("hands the engine the rendered prompt and every option", async () => {
    const house = createTaskHouse();
    const format = { type: "json" } as const;
    await collect(
      chat(house.runtime, {
        ...ask,
        sampling: { temperature: 0.5, seed: 3 },
        maxTokens: 5,
        stop: ["x"],
        format,
        topLogprobs: 2,
        tenant: "me",
        ignoreEos: false,
        adapters: [{ adapter: 0, scale: 0.5 }],
      }),
    );
    const request = house.lastRequest();
    expect(promptOf(request)).toBe("<|user|>\nHi there</s>\n<|assistant|>\n");
    expect(request).toMatchObject({
      sampling: { temperature: 0.5, seed: 3 },
      maxTokens: 5,
      stop: ["x"],
      format,
      topLogprobs: 2,
      tenant: "me",
      ignoreEos: false,
      adapters: [{ adapter: 0, scale: 0.5 }],
    });
  });

  it("gives n answers, told apart by their index and seed, under one start", async () => {
    const house = createTaskHouse({ reply: (_prompt, { sampling }) => `seed ${sampling.seed}` });
    const events = await collect(chat(house.runtime, { ...ask, n: 3, sampling: { seed: 7 } }));
    expect(events.filter(({ type }) => type === "start")).toHaveLength(1);
    expect([0, 1, 2].map((index) => textOf(events, index))).toEqual(["seed 7", "seed 8", "seed 9"]);
    expect(events.filter(({ type }) => type === "finish")).toHaveLength(3);
  });

  it("runs its n answers at the same time", async () => {
    const all = createDeferred<void>();
    let waiting = 0;
    const house = createTaskHouse({
      reply: "a b",
      beforePrompt: async () => {
        if (++waiting === 4) all.resolve();
        await all.promise;
      },
    });
    const events = await collect(chat(house.runtime, { ...ask, n: 4 }));
    expect(events.filter(({ type }) => type === "finish")).toHaveLength(4);
  });

  it("carries logprobs with the text they belong to", async () => {
    const events = await collect(chat(createTaskHouse({ reply: "a b c" }).runtime, { ...ask, topLogprobs: 1 }));
    const entries = events.flatMap((event) => (event.type === "text-delta" ? (event.logprobs ?? []) : []));
    expect(entries.map(({ text }) => text)).toEqual(["a", " b", " c"]);
  });

  it("keeps the logprobs of thoughts out of the answer", async () => {
    const house = createTaskHouse({ info: thinker, reply: ["<think>", "hm", "</think>", "yes"] });
    const events = await collect(chat(house.runtime, { ...ask, topLogprobs: 0 }));
    const answer = eventOf(events, "text-delta");
    expect(answer.text).toBe("yes");
    expect(answer.logprobs?.map(({ text }) => text)).toContain("yes");
    expect(answer.logprobs?.map(({ text }) => text)).not.toContain("hm");
  });

  it("takes the system text and parameters of the model where the request has none", async () => {
    const overrides = { system: "Be kind.", parameters: { temperature: 0.1, top_k: 5, stop: ["END"], num_predict: 9 } };
    const house = createTaskHouse({ overrides });
    await collect(chat(house.runtime, { ...ask, sampling: { topK: 7 } }));
    expect(promptOf(house.lastRequest())).toMatch(/^<\|system\|>\nBe kind\./);
    expect(house.lastRequest()).toMatchObject({ sampling: { temperature: 0.1, topK: 7 }, stop: ["END"], maxTokens: 9 });
    await collect(chat(house.runtime, { ...ask, messages: [{ role: "system", content: "Own." }, ...messages] }));
    expect(promptOf(house.lastRequest())).not.toContain("Be kind.");
  });
});

describe("thoughts and tools", () => {
  it("come as events of their own", async () => {
    const reply = '<think>hm</think>\n<tool_call>\n{"name": "weather", "arguments": {"place": "Oslo"}}\n</tool_call>';
    const house = createTaskHouse({ info: thinker, reply });
    const events = await collect(chat(house.runtime, { ...ask, tools: [weather] }));
    expect(eventOf(events, "reasoning-delta").text).toBe("hm");
    expect(eventOf(events, "tool-call-end")).toMatchObject({
      name: "weather",
      arguments: '{"place":"Oslo"}',
      callIndex: 0,
    });
    expect(eventOf(events, "finish").reason).toBe("tool-calls");
    expect(textOf(events)).toBe("");
  });

  it("the prompt may have opened the thoughts", async () => {
    const template = "{{ messages[0].content }}<think>\n";
    const house = createTaskHouse({ info: { ...thinker, chatTemplate: template }, reply: "hm </think> yes" });
    const events = await collect(chat(house.runtime, ask));
    expect(eventOf(events, "reasoning-delta").text).toBe("hm");
    expect(textOf(events)).toBe("yes");
  });

  it("none: the model is not told of the tools, and its text is text", async () => {
    const reply = '{"name": "weather", "arguments": {}}';
    const house = createTaskHouse({ info: thinker, reply });
    const events = await collect(chat(house.runtime, { ...ask, tools: [weather], toolChoice: "none" }));
    expect(textOf(events)).toBe(reply);
    expect(promptOf(house.lastRequest())).not.toContain("weather");
  });

  it("required: the grammar leaves nothing but a call", async () => {
    const house = createTaskHouse({ info: thinker, reply: "I would rather talk." });
    const events = await collect(chat(house.runtime, { ...ask, tools: [weather], toolChoice: "required" }));
    expect(house.lastRequest().format).toMatchObject({
      type: "json-schema",
      schema: { properties: { name: { const: "weather" } } },
    });
    expect(promptOf(house.lastRequest())).toMatch(/<think>\n\n<\/think>\n\n<tool_call>\n$/);
    expect(eventOf(events, "tool-call-end").name).toBe("weather");
    expect(eventOf(events, "finish").reason).toBe("tool-calls");
    expect(textOf(events)).toBe("");
  });

  it("a forced call that is cut off by the limit is not passed off as an answer", async () => {
    const house = createTaskHouse({ info: thinker, reply: ['{"name": "wea', "ther", '"}'] });
    const request = { ...ask, tools: [weather], toolChoice: { name: "weather" }, maxTokens: 1 } as const;
    const events = await collect(chat(house.runtime, request));
    expect(events.map(({ type }) => type)).toEqual(["start", "finish"]);
    expect(eventOf(events, "finish").reason).toBe("length");
  });

  it("a schema that cannot be enforced is refused before anything is said", async () => {
    const tool = { name: "f", parameters: { type: "object", not: {} } };
    const stream = chat(createTaskHouse({ reply: "text" }).runtime, { ...ask, tools: [tool], toolChoice: "required" });
    await expect(collect(stream)).rejects.toMatchObject({ code: "grammar_invalid" });
  });

  it("an answer that a grammar rules does not begin with thoughts", async () => {
    const house = createTaskHouse({ info: thinker, reply: '{"a": 1}' });
    const events = await collect(chat(house.runtime, { ...ask, format: { type: "json" } }));
    expect(promptOf(house.lastRequest())).toMatch(/<\/think>\n\n$/);
    expect(textOf(events)).toBe('{"a": 1}');
  });
});

describe("a chat is refused, before any event, when", () => {
  const refusals: readonly (readonly [string, Partial<ChatRequest>, object])[] = [
    ["the model is unknown", { model: "nope" }, { code: "model_not_found" }],
    ["there are no messages", { messages: [] }, { code: "bad_request", details: { field: "messages" } }],
    ["it asks for 17 answers", { n: 17 }, { code: "bad_request", details: { field: "n" } }],
    ["it asks for no answer", { n: 0 }, { code: "bad_request" }],
    ["the temperature is no number", { sampling: { temperature: Number.NaN } }, { code: "bad_request" }],
    ["a stop string is empty", { stop: [""] }, { code: "bad_request", details: { field: "stop" } }],
    [
      "it has an image",
      { messages: [{ role: "user", content: [{ type: "image", mediaType: "image/png", data: new Uint8Array() }] }] },
      { code: "unsupported_capability" },
    ],
    [
      "it has sound",
      { messages: [{ role: "user", content: [{ type: "audio", mediaType: "audio/wav", data: new Uint8Array() }] }] },
      { code: "unsupported_capability" },
    ],
    ["the model cannot think", { think: true }, { code: "unsupported_capability" }],
    ["the choice names an unknown tool", { tools: [weather], toolChoice: { name: "x" } }, { code: "bad_request" }],
    ["its template is broken", { template: "{{ x" }, { code: "template_failed" }],
    [
      "its template runs for ever",
      { template: "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}" },
      { code: "template_failed" },
    ],
    [
      "the prompt is too long",
      { messages: [{ role: "user", content: "word ".repeat(3000) }] },
      { code: "context_too_long" },
    ],
  ];
  it.for(refusals)("%s", async ([, change, error]) => {
    const house = createTaskHouse();
    const seen: ChatEvent[] = [];
    const run = async (): Promise<void> => {
      for await (const event of chat(house.runtime, { ...ask, ...change })) seen.push(event);
    };
    await expect(run()).rejects.toMatchObject(error);
    expect(seen).toEqual([]);
    expect(house.runtime.stats().running).toBe(0);
  });

  it("the model only embeds, and says what it can do", async () => {
    const house = createTaskHouse({ info: { capabilities: ["embed"] } });
    await expect(collect(chat(house.runtime, ask))).rejects.toThrow(
      'Model "tiny:latest" cannot generate text; it can embed texts.',
    );
  });

  it("the engine does not know an active option, and names both", async () => {
    const samplingOptions = new Set<keyof Sampling>(["temperature"]);
    const house = createTaskHouse({ samplingOptions });
    const stream = chat(house.runtime, { ...ask, sampling: { temperature: 1, minP: 0.1 } });
    await expect(collect(stream)).rejects.toMatchObject({
      code: "unsupported_option",
      details: { engine: "fake", option: "minP" },
    });
    // A value that changes nothing is no reason to refuse.
    await collect(chat(house.runtime, { ...ask, sampling: { minP: 0 } }));
  });

  it("the caller wants thoughts and a grammar at once", async () => {
    const stream = chat(createTaskHouse({ info: thinker }).runtime, { ...ask, think: true, format: { type: "json" } });
    await expect(collect(stream)).rejects.toMatchObject({ code: "unsupported_option" });
  });
});

describe("a conversation longer than the context", () => {
  const history: Message[] = Array.from({ length: 40 }, (_, index) => ({
    role: index % 2 === 0 ? "user" : "assistant",
    content: `${index}: some words of talk`,
  }));
  const long: ChatRequest = { ...ask, messages: [...history, { role: "user", content: "the last question" }] };

  it("is refused by default, and says by how many tokens", async () => {
    const house = createTaskHouse({ contextTokens: 100 });
    const error: unknown = await collect(chat(house.runtime, long)).catch((reason: unknown) => reason);
    const { details, message } = error as { details: Record<string, number>; message: string };
    expect(details["tokensOver"]).toBe((details["promptTokens"] ?? 0) - 100 + 1);
    expect(message).toContain(`${details["tokensOver"]} too many`);
  });

  it.for(["truncate-oldest", "truncate-middle"] as const)("is shortened by %s, with a receipt", async (overflow) => {
    const house = createTaskHouse({ contextTokens: 100, reply: "ok" });
    const events = await collect(chat(house.runtime, { ...long, overflow, maxTokens: 20 }));
    const { receipt } = eventOf(events, "start");
    const { usage } = eventOf(events, "finish");
    expect(receipt?.policy).toBe(overflow);
    expect(receipt?.promptTokensAfter).toBe(usage.promptTokens);
    expect(usage.promptTokens).toBeLessThanOrEqual(80);
    expect(receipt?.droppedTokens).toBe((receipt?.promptTokensBefore ?? 0) - usage.promptTokens);
    expect(receipt?.droppedMessages).toBeGreaterThan(0);
    const prompt = promptOf(house.lastRequest());
    expect(prompt).toContain("the last question");
    expect(prompt.includes("0: some words")).toBe(overflow === "truncate-middle");
  });

  it("gets no receipt when it fits after all", async () => {
    const house = createTaskHouse({ contextTokens: 2000 });
    const events = await collect(chat(house.runtime, { ...long, overflow: "truncate-oldest" }));
    expect(eventOf(events, "start").receipt).toBeUndefined();
  });
});

describe("a chat that nobody wants any more", () => {
  /** A model that would talk for ever, one token at a time, when `step` is called. */
  function endless(): ReturnType<typeof createTaskHouse> & { readonly made: () => number } {
    const house = createTaskHouse({ reply: ["a "], contextTokens: 1_000_000 });
    return { ...house, made: () => house.loaded().generatedTokens };
  }

  it("stops when the reader leaves the loop, and gives its turn back", async () => {
    const house = endless();
    for await (const event of chat(house.runtime, { ...ask, ignoreEos: true, n: 3 })) {
      if (event.type === "text-delta") break;
    }
    const made = house.made();
    expect(house.runtime.stats().running).toBe(0);
    expect(house.loaded().running).toBe(0);
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    expect(house.made()).toBe(made);
    expect(made).toBeLessThanOrEqual(6);
  });

  it("stops when return is called while a token is awaited", async () => {
    const reached = createDeferred<void>();
    const never = createDeferred<void>();
    const house = createTaskHouse({
      reply: ["a", "b"],
      beforeToken: async (index) => {
        if (index === 0) return;
        reached.resolve();
        await never.promise;
      },
    });
    const iterator = chat(house.runtime, ask)[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    const pending = iterator.next();
    await reached.promise;
    const returned = iterator.return?.();
    await expect(pending).rejects.toMatchObject({ code: "aborted" });
    await returned;
    expect(house.runtime.stats().running).toBe(0);
    expect(house.loaded().running).toBe(0);
  });

  it("stops when the signal aborts, while it waits for the prompt", async () => {
    const controller = new AbortController();
    const never = createDeferred<void>();
    const house = createTaskHouse({
      beforePrompt: async () => {
        controller.abort();
        await never.promise;
      },
    });
    const stream = chat(house.runtime, { ...ask, signal: controller.signal });
    await expect(collect(stream)).rejects.toMatchObject({ code: "aborted" });
    expect(house.runtime.stats().running).toBe(0);
  });

  it("is called aborted whatever the reason to abort was", async () => {
    const controller = new AbortController();
    const house = createTaskHouse({ beforeToken: () => controller.abort(new Error("the client left")) });
    const stream = chat(house.runtime, { ...ask, signal: controller.signal });
    await expect(collect(stream)).rejects.toMatchObject({ code: "aborted" });
  });

  it("does not begin at all with a signal that has aborted", async () => {
    const house = createTaskHouse();
    const stream = chat(house.runtime, { ...ask, signal: AbortSignal.abort() });
    await expect(collect(stream)).rejects.toMatchObject({ code: "aborted" });
    expect(house.engine.loads).toBe(0);
  });

  it("ends with the engine's error when the engine dies, and the next one is answered", async () => {
    const house = createTaskHouse({
      reply: ["a", "b"],
      beforeToken: (index) => {
        if (index === 1 && house.engine.loads === 1) house.loaded().die();
      },
    });
    const seen: string[] = [];
    const run = async (): Promise<void> => {
      for await (const event of chat(house.runtime, ask)) seen.push(event.type);
    };
    await expect(run()).rejects.toMatchObject({ code: "engine_failed" });
    expect(seen).toEqual(["start", "text-delta"]);
    expect(house.runtime.stats().running).toBe(0);
    expect(textOf(await collect(chat(house.runtime, ask)))).toBe("ab");
  });
});
