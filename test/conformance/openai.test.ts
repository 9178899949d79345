/** The official client of OpenAI against our server over a real socket. */
import OpenAI, {
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
} from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import type { RunningServer } from "../../src/server/index.ts";
import { serve } from "../../src/server/index.ts";
import type { ChatEvent, LogprobEntry } from "../../src/spec/event.ts";
import type { ChatRequest, CompleteRequest } from "../../src/spec/task.ts";
import type { FakeHearth } from "../fake-hearth.ts";
import { createFakeHearth, eventsOf, finish, refuse, say, sayAndWait, start, text } from "../fake-hearth.ts";

const messages = [{ role: "user" as const, content: "hi" }];
const model = "tiny";
const stopped = Promise.withResolvers<void>();

const entry: LogprobEntry = {
  token: 1,
  text: "Hi",
  logprob: -0.25,
  bytes: [72, 105],
  top: [{ token: 1, text: "Hi", logprob: -0.25, bytes: [72, 105] }],
};

/** What the model says depends on its name. */
function generate(request: ChatRequest | CompleteRequest): AsyncIterable<ChatEvent> {
  switch (request.model) {
    case "tools":
      return callTools();
    case "thinker":
      return eventsOf([start, { type: "reasoning-delta", index: 0, text: "hm" }, text("42"), finish()]);
    case "scorer":
      return eventsOf([start, { type: "text-delta", index: 0, text: "Hi", logprobs: [entry] }, finish()]);
    case "json":
      return say(['{"city":', '"Paris"}']);
    case "twins":
      return eventsOf([start, text("a", 0), text("b", 1), finish("stop", 0), finish("length", 1)]);
    case "endless":
      return sayAndWait(request, ["one"], stopped.resolve);
    case "full":
      return refuse(new HearthError("queue_full", "The queue is full."));
    case "long":
      return refuse(new HearthError("context_too_long", "The prompt has 9,000 tokens; 4,096 fit."));
    case "dying":
      return die();
    default:
      return say(["Hello", " world."]);
  }
}

async function* callTools(): AsyncIterable<ChatEvent> {
  yield start;
  for (const callIndex of [0, 1]) {
    const call = { index: 0, callIndex, id: `call_${callIndex}`, name: "weather" };
    yield { type: "tool-call-start", ...call };
    yield { type: "tool-call-delta", index: 0, callIndex, argumentsDelta: '{"city":' };
    yield { type: "tool-call-delta", index: 0, callIndex, argumentsDelta: `"P${callIndex}"}` };
    yield { type: "tool-call-end", ...call, arguments: `{"city":"P${callIndex}"}` };
  }
  yield finish("tool-calls");
}

async function* die(): AsyncIterable<ChatEvent> {
  yield* eventsOf([start, text("Hel")]);
  throw new HearthError("engine_failed", "The engine died.");
}

let hearth: FakeHearth;
let server: RunningServer;
let client: OpenAI;

beforeAll(async () => {
  const models = [
    "tiny",
    "tools",
    "thinker",
    "scorer",
    "json",
    "twins",
    "endless",
    "full",
    "long",
    "dying",
    "owner/big:q4",
  ];
  hearth = createFakeHearth({ generate, models, settings: { apiKey: "right-key" } });
  server = await serve({ hearth, host: "127.0.0.1", port: 0 });
  client = new OpenAI({ apiKey: "right-key", baseURL: `${server.url}/v1`, maxRetries: 0 });
});

afterAll(async () => {
  await Promise.all([server.shutdown(), server.shutdown()]);
});

describe("models", () => {
  test("can be listed", async () => {
    const ids: string[] = [];
    for await (const each of client.models.list()) {
      expect(each).toMatchObject({ object: "model", owned_by: expect.any(String) });
      expect(each.created).toBeGreaterThan(0);
      ids.push(each.id);
    }
    expect(ids).toContain("owner/big:q4");
  });

  test("can be retrieved, whatever is in their name", async () => {
    expect((await client.models.retrieve("owner/big:q4")).id).toBe("owner/big:q4");
    await expect(client.models.retrieve("nobody/knows")).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe("chat", () => {
  test("gives an answer with its usage", async () => {
    const answer = await client.chat.completions.create({ model, messages });
    expect(answer.id).toMatch(/^chatcmpl-/);
    expect(answer.object).toBe("chat.completion");
    expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(60);
    expect(answer.choices).toHaveLength(1);
    expect(answer.choices[0]).toMatchObject({
      index: 0,
      finish_reason: "stop",
      logprobs: null,
      message: { role: "assistant", content: "Hello world.", refusal: null },
    });
    expect(answer.usage).toEqual({
      prompt_tokens: 7,
      completion_tokens: 4,
      total_tokens: 11,
      prompt_tokens_details: { cached_tokens: 2 },
    });
  });

  test("streams, and counts when asked to", async () => {
    const stream = await client.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await Array.fromAsync(stream);
    expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("Hello world.");
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 11 } });
  });

  test("the client puts a stream together to the same answer", async () => {
    const answer = await client.chat.completions.stream({ model, messages }).finalChatCompletion();
    expect(answer.choices[0]?.message.content).toBe("Hello world.");
  });

  test("gives n answers", async () => {
    const answer = await client.chat.completions.create({ model: "twins", messages, n: 2 });
    expect(answer.choices.map((choice) => [choice.index, choice.message.content, choice.finish_reason])).toEqual([
      [0, "a", "stop"],
      [1, "b", "length"],
    ]);
    const stream = await client.chat.completions.stream({ model: "twins", messages, n: 2 }).finalChatCompletion();
    expect(stream.choices.map((choice) => choice.message.content)).toEqual(["a", "b"]);
  });

  test("shows reasoning beside the answer", async () => {
    const answer = await client.chat.completions.create({ model: "thinker", messages, reasoning_effort: "high" });
    expect(answer.choices[0]?.message).toMatchObject({ content: "42", reasoning_content: "hm", reasoning: "hm" });
    expect(hearth.requests.at(-1)).toMatchObject({ think: "high" });
  });

  test("gives logprobs, streaming or not", async () => {
    const body = { model: "scorer", messages, logprobs: true, top_logprobs: 1 };
    const content = [
      { token: "Hi", logprob: -0.25, bytes: [72, 105], top_logprobs: [expect.objectContaining({ token: "Hi" })] },
    ];
    const answer = await client.chat.completions.create(body);
    expect(answer.choices[0]?.logprobs?.content).toEqual(content);
    const streamed = await client.chat.completions.stream(body).finalChatCompletion();
    expect(streamed.choices[0]?.logprobs?.content).toEqual(content);
  });
});

describe("tools", () => {
  const parameters = { type: "object", properties: { city: { type: "string" } } };
  const tools = [{ type: "function" as const, function: { name: "weather", parameters } }];

  test("are called, streaming or not, with the same arguments", async () => {
    const body = { model: "tools", messages, tools, tool_choice: "required" as const };
    const answers = [
      await client.chat.completions.create(body),
      await client.chat.completions.stream(body).finalChatCompletion(),
    ];
    for (const { choices } of answers) {
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      expect(choices[0]?.message.content ?? "").toBe("");
      expect(choices[0]?.message.tool_calls).toMatchObject([
        { id: "call_0", type: "function", function: { name: "weather", arguments: '{"city":"P0"}' } },
        { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"P1"}' } },
      ]);
    }
    expect(hearth.requests.at(-1)).toMatchObject({ toolChoice: "required", tools: [{ name: "weather", parameters }] });
  });

  test("are called one at a time when parallel calls are switched off", async () => {
    const body = { model: "tools", messages, tools, parallel_tool_calls: false };
    const answer = await client.chat.completions.create(body);
    expect(answer.choices[0]?.message.tool_calls).toHaveLength(1);
    const streamed = await client.chat.completions.stream(body).finalChatCompletion();
    expect(streamed.choices[0]?.message.tool_calls).toHaveLength(1);
  });

  test("run in the client's own loop, result and all", async () => {
    await client.chat.completions.create({
      model,
      tools,
      messages: [
        ...messages,
        {
          role: "assistant",
          tool_calls: [{ id: "c", type: "function", function: { name: "weather", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c", content: "sunny" },
      ],
    });
    expect(hearth.requests.at(-1)).toMatchObject({
      messages: [{}, { toolCalls: [{ id: "c" }] }, { role: "tool", toolCallId: "c", content: "sunny" }],
    });
  });
});

test("structured output is parsed by the client, and its schema reaches the engine", async () => {
  const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const answer = await client.chat.completions.parse({
    model: "json",
    messages,
    response_format: { type: "json_schema", json_schema: { name: "place", schema, strict: true } },
  });
  expect(answer.choices[0]?.message.parsed).toEqual({ city: "Paris" });
  expect(hearth.requests.at(-1)).toMatchObject({ format: { type: "json-schema", schema } });
});

describe("text completions", () => {
  test("answer every prompt", async () => {
    const answer = await client.completions.create({ model, prompt: ["a", "b"], max_tokens: 5 });
    expect(answer.object).toBe("text_completion");
    expect(answer.choices.map((choice) => [choice.index, choice.text])).toEqual([
      [0, "Hello world."],
      [1, "Hello world."],
    ]);
    expect(answer.usage).toMatchObject({ prompt_tokens: 14, completion_tokens: 8 });
  });

  test("stream", async () => {
    const stream = await client.completions.create({ model, prompt: "a", stream: true });
    const chunks = await Array.fromAsync(stream);
    expect(chunks.map((chunk) => chunk.choices[0]?.text).join("")).toBe("Hello world.");
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
  });

  test("give logprobs in their own shape", async () => {
    const answer = await client.completions.create({ model: "scorer", prompt: "a", logprobs: 1 });
    expect(answer.choices[0]?.logprobs).toEqual({
      tokens: ["Hi"],
      token_logprobs: [-0.25],
      top_logprobs: [{ Hi: -0.25 }],
      text_offset: [0],
    });
  });
});

describe("embeddings", () => {
  test("are the same numbers as floats and as base64, which is what the client asks for by itself", async () => {
    const input = ["one", "three"];
    const floats = await client.embeddings.create({ model, input, encoding_format: "float", dimensions: 3 });
    const decoded = await client.embeddings.create({ model, input });
    expect(floats.data.map(({ embedding }) => embedding)).toEqual([
      [3, 0.5, -0.25],
      [5, 0.5, -0.25],
    ]);
    expect(decoded.data.map(({ embedding }) => [...embedding])).toEqual(floats.data.map(({ embedding }) => embedding));
    expect(floats).toMatchObject({ object: "list", usage: { prompt_tokens: 6, total_tokens: 6 } });
    expect(hearth.requests.at(-2)).toMatchObject({ dimensions: 3 });
  });

  test("of tokens are refused with a reason", async () => {
    await expect(client.embeddings.create({ model, input: [1, 2, 3] })).rejects.toThrow("Send texts, not tokens");
  });
});

test("rerank sorts documents by relevance", async () => {
  const documents = ["a longer text", { text: "short" }];
  const body = { model, query: "q", documents, top_n: 1, return_documents: true };
  expect(await client.post("/rerank", { body })).toMatchObject({
    results: [{ index: 1, relevance_score: expect.any(Number), document: { text: "short" } }],
    usage: { total_tokens: 9 },
  });
});

test("a stream that the client aborts stops the engine", async () => {
  const stream = await client.chat.completions.create({ model: "endless", messages, stream: true });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content === "one") stream.controller.abort();
  }
  await expect(stopped.promise).resolves.toBeUndefined();
});

test("an answer that the client aborts stops the engine", async () => {
  const controller = new AbortController();
  const before = hearth.requests.length;
  const answer = client.chat.completions.create({ model: "endless", messages }, { signal: controller.signal });
  while (hearth.requests.length === before) await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await expect(answer).rejects.toBeInstanceOf(APIUserAbortError);
  const { signal } = hearth.requests.at(-1) ?? {};
  if (signal?.aborted === false) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  expect(signal?.aborted).toBe(true);
});

describe("errors are of the client's own classes", () => {
  const ask = async (changes: Record<string, unknown>, other: OpenAI = client): Promise<unknown> =>
    await other.chat.completions.create({ model, messages, ...changes }).catch((error: unknown) => error);

  test("a wrong key", async () => {
    const error = await ask({}, client.withOptions({ apiKey: "wrong-key" }));
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  test("an unknown model", async () => {
    const error = await ask({ model: "nobody" });
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
  });

  test("a wrong field", async () => {
    const error = await ask({ temperature: 9 });
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ status: 400, param: "temperature", type: "invalid_request_error" });
  });

  test("a prompt that is too long", async () => {
    expect(await ask({ model: "long" })).toMatchObject({ status: 400, code: "context_length_exceeded" });
  });

  test("a full queue, with the time to come again", async () => {
    const error = await ask({ model: "full" });
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 503, code: "queue_full" });
    expect((error as APIError).headers?.get("retry-after")).toBe("5");
  });

  test("an origin that may not call", async () => {
    const error = await ask({}, client.withOptions({ defaultHeaders: { origin: "http://evil.com" } }));
    expect(error).toBeInstanceOf(PermissionDeniedError);
  });

  test("an engine that dies in the middle of a stream", async () => {
    const stream = await client.chat.completions.create({ model: "dying", messages, stream: true });
    const error = await Array.fromAsync(stream).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: "engine_failed" });
    expect((error as APIError).message).toContain("The engine died.");
  });

  test("the request id is where the client looks for it", async () => {
    const answer = await client.chat.completions.create({ model, messages });
    expect(answer._request_id).toMatch(/^[\w-]{36}$/);
  });
});
