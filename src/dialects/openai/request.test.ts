import { describe, expect, test } from "vitest";
import { HearthError } from "../../error.ts";
import type { Caller } from "./request.ts";
import { toChatRequest, toCompleteRequests } from "./request.ts";
import { parseChatBody, parseCompletionBody } from "./schema.ts";

const caller: Caller = { tenant: "local", signal: new AbortController().signal };
const messages = [{ role: "user", content: "hi" }];

function chat(body: Record<string, unknown>) {
  return toChatRequest(parseChatBody({ model: "m", messages, ...body }), caller);
}

function complete(body: Record<string, unknown>) {
  return toCompleteRequests(parseCompletionBody({ model: "m", prompt: "x", ...body }), caller);
}

function refusal(act: () => unknown): HearthError {
  try {
    act();
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("a chat body", () => {
  test("needs no more than a model and a message", () => {
    expect(chat({})).toEqual({
      model: "m",
      messages: [{ role: "user", content: "hi" }],
      sampling: {},
      tenant: "local",
      signal: caller.signal,
    });
  });

  test("carries every sampling option to the engine", () => {
    const { sampling } = chat({
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.05,
      typical_p: 0.8,
      repetition_penalty: 1.1,
      presence_penalty: -2,
      frequency_penalty: 2,
      seed: 42,
      logit_bias: { "15": -100, "7": 3.5 },
    });
    expect(sampling).toEqual({
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      minP: 0.05,
      typicalP: 0.8,
      repeatPenalty: 1.1,
      presencePenalty: -2,
      frequencyPenalty: 2,
      seed: 42,
      logitBias: new Map([
        [15, -100],
        [7, 3.5],
      ]),
    });
  });

  test("carries limits, stops, and what hearth adds", () => {
    const request = chat({
      max_tokens: 5,
      max_completion_tokens: 9,
      stop: "END",
      n: 3,
      keep_alive: "5m",
      overflow: "truncate-middle",
      ignore_eos: true,
      lora: [{ id: 0, scale: 0.5 }, { id: 1 }],
      chat_template_kwargs: { enable_thinking: false },
      reasoning_effort: "minimal",
      logprobs: true,
    });
    expect(request).toMatchObject({
      maxTokens: 9,
      stop: ["END"],
      n: 3,
      keepAliveMs: 300_000,
      overflow: "truncate-middle",
      ignoreEos: true,
      adapters: [{ adapter: 0, scale: 0.5 }, { adapter: 1 }],
      templateVariables: { enable_thinking: false },
      think: "low",
      topLogprobs: 0,
    });
  });

  test.each([
    ["none", false],
    ["low", "low"],
    ["xhigh", "high"],
  ])("reasoning_effort %s means think %s", (effort, think) => {
    expect(chat({ reasoning_effort: effort }).think).toBe(think);
  });

  test("null at the top level counts as absent", () => {
    expect(chat({ stop: null, temperature: null, tools: null, n: null })).toEqual(chat({}));
  });

  test("unknown fields are ignored", () => {
    expect(chat({ service_tier: "auto", store: true, user: "ann" })).toEqual(chat({}));
  });

  test("-1 tokens and a seed of -1 mean no limit and any seed", () => {
    const request = chat({ max_tokens: -1, seed: -1 });
    expect(request.maxTokens).toBeUndefined();
    expect(request.sampling?.seed).toBeUndefined();
  });

  test("roles, parts, tool calls and reasoning of a long conversation all arrive", () => {
    const picture = Buffer.from([0x89, 0x50, 0x4e, 0x47]).toString("base64");
    const request = chat({
      messages: [
        { role: "developer", content: "be brief" },
        {
          role: "user",
          content: [
            { type: "text", text: "look" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } },
            { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          reasoning_content: "hm",
          tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c1", content: "42" },
        { role: "assistant", content: [{ type: "refusal", refusal: "no" }] },
      ],
    });
    expect(request.messages).toEqual([
      { role: "system", content: "be brief" },
      {
        role: "user",
        content: [
          { type: "text", text: "look" },
          { type: "image", mediaType: "image/png", data: Uint8Array.of(0x89, 0x50, 0x4e, 0x47) },
          { type: "audio", mediaType: "audio/wav", data: new Uint8Array(3) },
        ],
      },
      { role: "assistant", content: "", reasoning: "hm", toolCalls: [{ id: "c1", name: "f", arguments: "{}" }] },
      { role: "tool", toolCallId: "c1", content: "42" },
      { role: "assistant", content: [{ type: "text", text: "no" }] },
    ]);
  });

  test("tools and the choice among them arrive", () => {
    const tools = [{ type: "function", function: { name: "add", description: "adds" } }];
    const choice = { type: "function", function: { name: "add" } };
    expect(chat({ tools, tool_choice: choice })).toMatchObject({
      tools: [{ name: "add", description: "adds", parameters: { type: "object", properties: {} } }],
      toolChoice: { name: "add" },
    });
  });

  test.each([
    [{ type: "json_object" }, { type: "json" }],
    [
      { type: "json_object", schema: { type: "array" } },
      { type: "json-schema", schema: { type: "array" } },
    ],
    [
      { type: "json_schema", json_schema: { name: "n", schema: { type: "object" } } },
      { type: "json-schema", schema: { type: "object" } },
    ],
    [{ type: "text" }, undefined],
  ])("response_format %j becomes %j", (format, expected) => {
    expect(chat({ response_format: format }).format).toEqual(expected);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["temperature", { temperature: 3 }, "temperature is 3; it must be at most 2."],
    ["temperature", { temperature: "1" }, "temperature is a string; it must be a number."],
    ["top_p", { top_p: true }, "top_p is true; it must be a number."],
    ["n", { n: 0 }, "n is 0; it must be at least 1."],
    ["n", { n: 1.5 }, "n is 1.5; it must be a whole number."],
    ["seed", { seed: 2 ** 53 }, "seed is 9007199254740992; it must be at most 9007199254740991."],
    ["stop", { stop: Array.from({ length: 17 }, () => "x") }, "stop must be text or up to 16 texts, none empty."],
    ["max_tokens", { max_tokens: 0 }, "max_tokens must be at least 1, or -1 for no limit."],
    ["messages", { messages: [] }, "messages has 0 items; it must have at least 1."],
    ["messages[0].content", { messages: [{ role: "user" }] }, "messages[0].content is missing."],
    [
      "messages[0].content[1].text",
      { messages: [{ role: "user", content: [{ type: "text", text: "a" }, { type: "text" }] }] },
      "messages[0].content[1].text is missing.",
    ],
    [
      "messages[0].content",
      { messages: [{ role: "user", content: 7 }] },
      "messages[0].content must be text or an array of parts.",
    ],
    ["top_logprobs", { top_logprobs: 3 }, "top_logprobs is set, but logprobs is not true."],
    ["tool_choice", { tool_choice: "required" }, "tool_choice asks for a tool, but tools is empty."],
    [
      "response_format.json_schema.schema",
      { response_format: { type: "json_schema", json_schema: { name: "x" } } },
      "response_format.json_schema.schema is missing.",
    ],
    [
      "grammar",
      { grammar: "root ::= x", response_format: { type: "json_object" } },
      "grammar and response_format cannot both be set.",
    ],
    [
      "keep_alive",
      { keep_alive: "soon" },
      "keep_alive must be seconds or a duration such as 5m, 1h30m, 0 (now) or -1 (for ever).",
    ],
    ["model", { model: undefined }, "model is missing."],
  ])("a wrong %s is refused by name", (field, body, message) => {
    const error = refusal(() => chat(body));
    expect(error.code).toBe("bad_request");
    expect(error.details["field"]).toBe(field);
    expect(error.message).toBe(message);
  });

  test.each([
    ["functions", { functions: [] }, "send tools"],
    ["function_call", { function_call: "auto" }, "send tool_choice"],
    [
      "messages[0].function_call",
      { messages: [{ role: "assistant", content: "", function_call: { name: "f", arguments: "" } }] },
      "send tool_calls",
    ],
    ["tools[0].type", { tools: [{ type: "custom", custom: { name: "x" } }] }, 'must be "function"'],
  ])("%s is not ignored", (field, body, message) => {
    const error = refusal(() => chat(body));
    expect(error.details["field"]).toBe(field);
    expect(error.message).toContain(message);
  });

  test("the old function role is refused with what to use", () => {
    const error = refusal(() => chat({ messages: [{ role: "function", name: "f", content: "1" }] }));
    expect(error.message).toContain("role tool");
    expect(error.details["field"]).toMatch(/^messages\[0\]/);
  });

  test.each([
    "https://example.org/cat.png",
    "file:///etc/passwd",
    "/etc/passwd",
    "data:image/png;base64,%%%",
    "data:text/html;base64,AAAA",
  ])("a picture at %s is never fetched", (url) => {
    const error = refusal(() =>
      chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] }),
    );
    expect(error.code).toBe("bad_request");
    expect(error.details["field"]).toBe("messages[0].content[0].image_url.url");
  });

  test("a refusal never repeats text of the prompt", () => {
    const error = refusal(() => chat({ messages: [{ role: "user", content: { secret: "canary-7" } }], n: "canary-8" }));
    expect(JSON.stringify([error.message, error.details])).not.toContain("canary");
  });
});

describe("a completion body", () => {
  test.each<[string, unknown, unknown[]]>([
    ["text", "a", ["a"]],
    ["texts", ["a", "b"], ["a", "b"]],
    ["tokens", [1, 2], [[1, 2]]],
    ["arrays of tokens", [[1], [2, 3]], [[1], [2, 3]]],
  ])("takes a prompt of %s", (_name, prompt, expected) => {
    expect(complete({ prompt }).map((request) => request.prompt)).toEqual(expected);
  });

  test("asks for the logprobs of the prompt as OpenAI and as vLLM do", () => {
    expect(complete({ echo: true, logprobs: 2, max_tokens: 0 })[0]).toMatchObject({ promptLogprobs: 2, maxTokens: 0 });
    expect(complete({ prompt_logprobs: 0 })[0]).toMatchObject({ promptLogprobs: 0 });
    expect(complete({ echo: true, logprobs: 2, prompt_logprobs: 5 })[0]).toMatchObject({ promptLogprobs: 5 });
    expect(complete({ echo: true })[0]).not.toHaveProperty("promptLogprobs");
    expect(chat({ prompt_logprobs: 3 })).toMatchObject({ promptLogprobs: 3 });
  });

  test("carries suffix, echo and logprobs", () => {
    expect(complete({ suffix: "z", logprobs: 2 })[0]).toMatchObject({ suffix: "z", topLogprobs: 2 });
    expect(complete({ echo: true })[0]).toMatchObject({ echo: true });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["best_of", { best_of: 4 }, "bad_request"],
    ["echo", { echo: true, logprobs: 1, suffix: "z" }, "unsupported_option"],
    ["prompt_logprobs", { prompt_logprobs: 1, stream: true }, "bad_request"],
    ["prompt_logprobs", { prompt_logprobs: 21 }, "bad_request"],
    ["max_tokens", { max_tokens: -2 }, "bad_request"],
    ["prompt", { prompt: Array.from({ length: 257 }, () => "x") }, "bad_request"],
    ["prompt", { prompt: [] }, "bad_request"],
    ["prompt", { prompt: [1, "a"] }, "bad_request"],
    ["logprobs", { logprobs: true }, "bad_request"],
  ])("refuses what it cannot do with %s", (field, body, code) => {
    const error = refusal(() => complete(body));
    expect(error.code).toBe(code);
    expect(error.details["field"]).toBe(field);
  });
});
