import { describe, expect, test } from "vitest";
import type { ChatEvent, LogprobEntry, PromptLogprobs } from "../../spec/event.ts";
import { createChatStream, createCompletionStream, type StreamOptions } from "./stream.ts";

const options: StreamOptions = {
  head: { id: "chatcmpl-1", created: 1700000000, model: "tiny" },
  n: 1,
  logprobs: false,
  includeUsage: false,
  receipt: undefined,
};

const finish: Extract<ChatEvent, { type: "finish" }> = {
  type: "finish",
  index: 0,
  reason: "stop",
  usage: { promptTokens: 7, cachedTokens: 2, completionTokens: 4 },
  timings: { queueMs: 0, loadMs: 0, promptMs: 10, generateMs: 40, totalMs: 50 },
};

interface Chunk {
  readonly choices: readonly {
    readonly index: number;
    readonly delta: Record<string, unknown>;
    readonly text?: string;
  }[];
  readonly [field: string]: unknown;
}

function chatChunks(events: readonly ChatEvent[], changes: Partial<StreamOptions> = {}): (Chunk | string)[] {
  const stream = createChatStream({ ...options, ...changes });
  const frames = [...stream.begin(), ...events.flatMap((event) => stream.map(event)), ...stream.end()];
  return frames.map(({ data }) => (data === "[DONE]" ? data : (JSON.parse(data) as Chunk)));
}

function deltas(events: readonly ChatEvent[]): unknown[] {
  return chatChunks(events).map((chunk) => (typeof chunk === "string" ? chunk : chunk.choices[0]?.delta));
}

const entry: LogprobEntry = {
  token: 5,
  text: "Hi",
  logprob: -0.5,
  bytes: [72, 105],
  top: [
    { token: 5, text: "Hi", logprob: -0.5, bytes: [72, 105] },
    { token: 6, text: "Yo", logprob: -Infinity, bytes: [89, 111] },
  ],
};

describe("chunks of a chat", () => {
  test("name the role first, then text, then the reason, then [DONE]", () => {
    const head = { id: "chatcmpl-1", created: 1700000000, model: "tiny", object: "chat.completion.chunk" };
    const choice = { index: 0, logprobs: null, finish_reason: null };
    expect(chatChunks([{ type: "text-delta", index: 0, text: "Hi" }, finish])).toEqual([
      { ...head, choices: [{ ...choice, delta: { role: "assistant", content: "" } }] },
      { ...head, choices: [{ ...choice, delta: { content: "Hi" } }] },
      { ...head, choices: [{ ...choice, delta: {}, finish_reason: "stop" }], timings: expect.any(Object) },
      "[DONE]",
    ]);
  });

  test("carry the speed of the answer as llama.cpp does", () => {
    expect(chatChunks([finish])[1]).toMatchObject({
      timings: {
        cache_n: 2,
        prompt_n: 5,
        prompt_ms: 10,
        prompt_per_second: 500,
        predicted_n: 4,
        predicted_ms: 40,
        predicted_per_second: 100,
      },
    });
  });

  test("end with the usage, and no choice, when it is asked for", () => {
    const chunks = chatChunks([{ type: "text-delta", index: 0, text: "Hi" }, finish], { includeUsage: true });
    expect(chunks.slice(0, 3)).toEqual(chunks.slice(0, 3).map(() => expect.objectContaining({ usage: null })));
    expect(chunks.at(-2)).toMatchObject({
      choices: [],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 4,
        total_tokens: 11,
        prompt_tokens_details: { cached_tokens: 2 },
      },
    });
    expect(chunks.at(-1)).toBe("[DONE]");
  });

  test("count the prompt once for two answers to it", () => {
    const events: ChatEvent[] = [finish, { ...finish, index: 1 }];
    expect(chatChunks(events, { n: 2, includeUsage: true }).at(-2)).toMatchObject({
      usage: { prompt_tokens: 7, completion_tokens: 8 },
    });
  });

  test("put reasoning under both of its names", () => {
    expect(deltas([{ type: "reasoning-delta", index: 0, text: "hm" }])[1]).toEqual({
      reasoning_content: "hm",
      reasoning: "hm",
    });
  });

  test("stream the arguments of a tool call piece by piece", () => {
    const call = { index: 0, callIndex: 0 };
    const events: ChatEvent[] = [
      { type: "tool-call-start", ...call, id: "call_1", name: "add" },
      { type: "tool-call-delta", ...call, argumentsDelta: '{"a"' },
      { type: "tool-call-delta", ...call, argumentsDelta: ":1}" },
      { type: "tool-call-end", ...call, id: "call_1", name: "add", arguments: '{"a":1}' },
      { ...finish, reason: "tool-calls" },
    ];
    expect(deltas(events).slice(1, 4)).toEqual([
      { tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "add", arguments: "" } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] },
      { tool_calls: [{ index: 0, function: { arguments: ":1}" } }] },
    ]);
    expect(chatChunks(events)[4]).toMatchObject({ choices: [{ finish_reason: "tool_calls" }] });
  });

  test("send the arguments at the end of a call that had no deltas", () => {
    const call = { index: 0, callIndex: 1, id: "c", name: "f" };
    const events: ChatEvent[] = [
      { type: "tool-call-start", ...call },
      { type: "tool-call-end", ...call, arguments: '{"x":2}' },
    ];
    expect(deltas(events)[2]).toEqual({ tool_calls: [{ index: 1, function: { arguments: '{"x":2}' } }] });
  });

  test("carry logprobs, with a number where JSON has none", () => {
    const chunks = chatChunks([{ type: "text-delta", index: 0, text: "Hi", logprobs: [entry] }], { logprobs: true });
    expect(chunks[1]).toMatchObject({
      choices: [
        {
          logprobs: {
            content: [
              {
                token: "Hi",
                logprob: -0.5,
                bytes: [72, 105],
                top_logprobs: [{ token: "Hi" }, { token: "Yo", logprob: -9999 }],
              },
            ],
            refusal: null,
          },
        },
      ],
    });
  });

  test("bring the receipt of what was dropped, once", () => {
    const receipt = {
      policy: "truncate-oldest",
      droppedTokens: 9,
      droppedMessages: 1,
      promptTokensBefore: 20,
      promptTokensAfter: 11,
    } as const;
    const chunks = chatChunks([finish], { receipt });
    expect(chunks[0]).toMatchObject({ hearth: { receipt: { dropped_tokens: 9, policy: "truncate-oldest" } } });
    expect(chunks[1]).not.toHaveProperty("hearth");
  });
});

describe("chunks of a text completion", () => {
  test("begin with the prompt and its logprobs where both were asked for, even if it is empty", () => {
    const prompt = { first: { token: 1, text: "<s>", bytes: [60, 115, 62] }, entries: [{ ...entry, rank: 1 }] };
    const answer: ChatEvent = { type: "text-delta", index: 0, text: "Hi", logprobs: [entry] };
    const chunksOf = (text: string, logprobs: PromptLogprobs) => {
      const stream = createCompletionStream({ ...options, logprobs: true, echoLogprobs: 1 });
      const events: readonly ChatEvent[] = [
        { type: "prompt-logprobs", index: 0, logprobs },
        { type: "text-delta", index: 0, text, echo: true },
        answer,
      ];
      return events.flatMap((event) => stream.map(event)).map(({ data }) => (JSON.parse(data) as Chunk).choices[0]);
    };
    expect(chunksOf("Hi", prompt)).toMatchObject([
      {
        text: "Hi",
        logprobs: {
          tokens: ["<s>", "Hi"],
          token_logprobs: [null, -0.5],
          top_logprobs: [null, { Hi: -0.5 }],
          text_offset: [0, 0],
        },
      },
      { text: "Hi", logprobs: { tokens: ["Hi"], text_offset: [2] } },
    ]);
    expect(chunksOf("", { ...prompt, entries: [] })).toMatchObject([
      { text: "", logprobs: { tokens: ["<s>"], token_logprobs: [null] } },
      { text: "Hi", logprobs: { text_offset: [0] } },
    ]);
  });

  test("carry text and offsets that go on from chunk to chunk", () => {
    const stream = createCompletionStream({ ...options, logprobs: true });
    const event: ChatEvent = { type: "text-delta", index: 0, text: "Hi", logprobs: [entry] };
    const frames = [event, event, finish].flatMap((each) => stream.map(each));
    const chunks = frames.map(({ data }) => JSON.parse(data) as Chunk);
    expect(chunks[1]).toMatchObject({
      object: "text_completion",
      choices: [
        {
          index: 0,
          text: "Hi",
          finish_reason: null,
          logprobs: {
            tokens: ["Hi"],
            token_logprobs: [-0.5],
            text_offset: [2],
            top_logprobs: [{ Hi: -0.5, Yo: -9999 }],
          },
        },
      ],
    });
    expect(chunks[2]).toMatchObject({ choices: [{ text: "", finish_reason: "stop" }] });
  });
});
