import { describe, expect, it } from "vitest";
import { collect, createTaskHouse, eventOf, promptOf, textOf } from "../../test/task-house.ts";
import { fakeTokenize } from "../engines/fake/tokens.ts";
import type { CompleteRequest } from "../spec/task.ts";
import { complete } from "./complete.ts";

const ask: CompleteRequest = { model: "tiny", prompt: "Once upon" };

describe("a completion", () => {
  it("goes on with the text, whose control tokens are text unless it is raw", async () => {
    const house = createTaskHouse({ reply: " a time" });
    expect(textOf(await collect(complete(house.runtime, ask)))).toBe(" a time");
    expect(house.lastRequest().prompt).toEqual([{ text: "Once upon", special: false }]);
    await collect(complete(house.runtime, { ...ask, special: true }));
    expect(house.lastRequest().prompt).toEqual([{ text: "Once upon", special: true }]);
  });

  it("repeats the prompt first when asked to, for each answer", async () => {
    const house = createTaskHouse({ reply: " a time" });
    const events = await collect(complete(house.runtime, { ...ask, echo: true, n: 2 }));
    expect([textOf(events, 0), textOf(events, 1)]).toEqual(["Once upon a time", "Once upon a time"]);
  });

  it("takes tokens, and repeats them as text", async () => {
    const house = createTaskHouse({ reply: "!", info: { vocabularySize: 0 } });
    const prompt = fakeTokenize([{ text: "Once upon", special: false }]);
    expect(textOf(await collect(complete(house.runtime, { ...ask, prompt, echo: true })))).toBe("Once upon!");
    expect(house.lastRequest().prompt).toEqual(prompt);
  });

  it("says how likely its prompt is before each answer, computed once", async () => {
    const house = createTaskHouse({ reply: " a time" });
    const request = { ...ask, echo: true, n: 2, promptLogprobs: 1, tenant: "ann" };
    const events = await collect(complete(house.runtime, request));
    for (const index of [0, 1]) {
      const own = events.filter((event) => "index" in event && event.index === index);
      expect(own.slice(0, 2)).toMatchObject([
        { type: "prompt-logprobs", logprobs: { first: { text: "Once" }, entries: [{ text: " upon", rank: 1 }] } },
        { type: "text-delta", text: "Once upon", echo: true },
      ]);
    }
    expect(textOf(events)).toBe("Once upon a time");
    expect(house.loaded().scoreRequests).toEqual([
      { prompt: house.lastRequest().prompt, topLogprobs: 1, tenant: "ann" },
    ]);
  });

  it("says only how likely its prompt is where no token is wanted", async () => {
    const house = createTaskHouse();
    const events = await collect(complete(house.runtime, { ...ask, promptLogprobs: 0, maxTokens: 0 }));
    expect(events.map(({ type }) => type)).toEqual(["start", "prompt-logprobs", "finish"]);
    expect(eventOf(events, "finish")).toMatchObject({
      reason: "length",
      usage: { promptTokens: 2, cachedTokens: 0, completionTokens: 0 },
    });
    expect(house.loaded().requests).toEqual([]);
  });

  it("repeats what is left of a prompt that was cut, as its logprobs are of that", async () => {
    const house = createTaskHouse({ contextTokens: 40 });
    const words = Array.from({ length: 60 }, (_, index) => `w${index}`).join(" ");
    const cut = { overflow: "truncate-oldest", echo: true, promptLogprobs: 0, maxTokens: 0 } as const;
    const events = await collect(complete(house.runtime, { ...ask, ...cut, prompt: words }));
    const { first, entries } = eventOf(events, "prompt-logprobs").logprobs;
    expect(textOf(events)).toBe([first, ...entries].map(({ text }) => text).join(""));
  });

  it("refuses to score where the engine cannot, before any event", async () => {
    const house = createTaskHouse({ scores: false });
    const stream = complete(house.runtime, { ...ask, promptLogprobs: 1 });
    await expect(collect(stream)).rejects.toMatchObject({
      code: "unsupported_option",
      message: 'The engine "fake" does not report the logprobs of prompt tokens.',
    });
    expect(house.runtime.stats().running).toBe(0);
  });

  it("stops scoring when its caller leaves", async () => {
    const controller = new AbortController();
    const house = createTaskHouse({ beforeBatch: () => controller.abort() });
    const stream = complete(house.runtime, { ...ask, promptLogprobs: 1, signal: controller.signal });
    await expect(collect(stream)).rejects.toMatchObject({ code: "aborted" });
    expect(house.runtime.stats().running).toBe(0);
  });

  it("takes the text as it is: thoughts and calls are not looked for", async () => {
    const reply = '<think>x</think>{"name": "f"}';
    expect(textOf(await collect(complete(createTaskHouse({ reply }).runtime, ask)))).toBe(reply);
  });

  it("fills a gap between two texts with the marks of the model", async () => {
    const house = createTaskHouse({
      info: {
        capabilities: ["generate", "insert"],
        specialTokens: ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"],
      },
    });
    await collect(complete(house.runtime, { ...ask, prompt: "f(", suffix: ") <|fim_middle|>" }));
    expect(house.lastRequest().prompt).toEqual([
      { text: "<|fim_prefix|>", special: true },
      { text: "f(", special: false },
      { text: "<|fim_suffix|>", special: true },
      { text: ") <|fim_middle|>", special: false },
      { text: "<|fim_middle|>", special: true },
    ]);
  });

  it("puts the suffix first for models that were trained so", async () => {
    const house = createTaskHouse({
      info: { capabilities: ["generate", "insert"], specialTokens: ["[PREFIX]", "[SUFFIX]"] },
    });
    await collect(complete(house.runtime, { ...ask, prompt: "a", suffix: "b" }));
    expect(promptOf(house.lastRequest())).toBe("[SUFFIX]b[PREFIX]a");
  });

  it("refuses a gap that the model cannot fill", async () => {
    const stream = complete(createTaskHouse().runtime, { ...ask, suffix: "x" });
    await expect(collect(stream)).rejects.toMatchObject({
      code: "unsupported_capability",
      message: 'Model "tiny:latest" cannot fill in the middle of a text; it can generate text, chat.',
    });
  });

  it.for([
    ["no tokens", { prompt: [] }],
    ["a token that is no number", { prompt: [Number.NaN] }],
    ["a negative token", { prompt: [-1] }],
    ["a token beyond the vocabulary", { prompt: [32_000] }],
    ["tokens with a suffix", { prompt: [1], suffix: "x" }],
    ["too many answers", { n: 100 }],
    ["too many alternatives", { promptLogprobs: 21 }],
  ] as const)("refuses %s", async ([, change]) => {
    const house = createTaskHouse();
    await expect(collect(complete(house.runtime, { ...ask, ...change }))).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(house.runtime.stats().running).toBe(0);
  });

  it("is refused when it is too long, or cut with a receipt that keeps the first token of all texts", async () => {
    const house = createTaskHouse({ contextTokens: 40 });
    const words = Array.from({ length: 60 }, (_, index) => `w${index}`).join(" ");
    const long = { ...ask, prompt: `<s> ${words}`, special: true };
    await expect(collect(complete(house.runtime, long))).rejects.toMatchObject({ details: { tokensOver: 22 } });
    const events = await collect(complete(house.runtime, { ...long, overflow: "truncate-oldest", maxTokens: 10 }));
    expect(eventOf(events, "start").receipt).toEqual({
      policy: "truncate-oldest",
      droppedTokens: 31,
      droppedMessages: 0,
      promptTokensBefore: 61,
      promptTokensAfter: 30,
    });
    expect(house.lastRequest().prompt[0]).toBe(fakeTokenize([{ text: "<s>", special: true }])[0]);
    expect(eventOf(events, "finish").usage.promptTokens).toBe(30);
  });
});
