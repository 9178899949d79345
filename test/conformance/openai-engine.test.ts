/** The official client of OpenAI, our server, the tasks and the runtime; only the engine is a fake. */
import OpenAI, { BadRequestError } from "openai";
import type { APIError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engines } from "../../src/engines/contract.ts";
import { createFakeEngine } from "../../src/engines/fake/engine.ts";
import { fakeTokenize } from "../../src/engines/fake/tokens.ts";
import { createRuntime } from "../../src/runtime/runtime.ts";
import type { RunningServer } from "../../src/server/index.ts";
import { serve } from "../../src/server/index.ts";
import type { GenerateRequest } from "../../src/spec/engine.ts";
import { chat } from "../../src/tasks/chat.ts";
import { complete } from "../../src/tasks/complete.ts";
import type { Hearth } from "../../src/tasks/contract.ts";
import { embed } from "../../src/tasks/embed.ts";
import { perform } from "../../src/tasks/perform.ts";
import { rerank } from "../../src/tasks/rerank.ts";
import { defaultSettings } from "../fake-hearth.ts";
import { createFakeLibrary } from "../fake-library.ts";

const toolTemplate =
  "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<tool_call>{% endif %}" +
  "{% for message in messages %}{{ message.content }}\n{% endfor %}";

const models = [
  { name: "tiny" },
  { name: "any", info: { vocabularySize: 0 } },
  { name: "small", info: { trainContextTokens: 128 } },
  { name: "tools", info: { chatTemplate: toolTemplate, capabilities: ["generate", "chat", "tools"] as const } },
  { name: "vectors", info: { capabilities: ["embed"] as const } },
  { name: "ranks", info: { capabilities: ["rerank"] as const } },
];

let afterTokens: ((index: number, request: GenerateRequest) => void | Promise<void>) | undefined;

const engine = createFakeEngine({
  reply: (prompt) =>
    prompt.includes("weather")
      ? '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
      : "Paris is the capital.",
  beforeToken: async (index, request) => await afterTokens?.(index, request),
});

let hearth: Hearth;
let server: RunningServer;
let client: OpenAI;

beforeAll(async () => {
  const library = createFakeLibrary(models);
  const engines: Engines = {
    choose: async () => ({ engine: "fake", device: "cpu", reasons: ["it is the only one"] }),
    get: async () => engine,
  };
  const runtime = createRuntime({ library, engines, settings: defaultSettings });
  hearth = {
    settings: defaultSettings,
    library,
    runtime,
    chat: (request) => chat(runtime, request),
    complete: (request) => complete(runtime, request),
    embed: async (request) => await embed(runtime, request),
    rerank: async (request) => await rerank(runtime, request),
    perform: async (request) => await perform(runtime, request),
    dispose: async () => await runtime.dispose(),
  };
  server = await serve({ hearth, host: "127.0.0.1", port: 0 });
  client = new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
});

afterAll(async () => {
  await Promise.all([server.shutdown(), server.shutdown()]);
  await hearth.dispose();
});

const ask = (content: string) => [{ role: "user" as const, content }];

describe("from the client to the engine and back", () => {
  test("an answer and its stream say the same", async () => {
    const body = { model: "tiny", messages: ask("capital of France?") };
    const answer = await client.chat.completions.create(body);
    const streamed = await client.chat.completions.stream(body).finalChatCompletion();
    expect(answer.choices[0]?.message.content).toBe("Paris is the capital.");
    expect(streamed.choices[0]?.message.content).toBe("Paris is the capital.");
    expect(answer.usage?.completion_tokens).toBeGreaterThan(1);
  });

  test("max_tokens and stop strings end it", async () => {
    const body = { model: "tiny", messages: ask("x") };
    const short = await client.chat.completions.create({ ...body, max_completion_tokens: 1 });
    expect(short.choices[0]).toMatchObject({ finish_reason: "length" });
    const stopped = await client.chat.completions.create({ ...body, stop: [" capital"] });
    expect(stopped.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "Paris is the" } });
  });

  test("n answers are counted together", async () => {
    const answer = await client.chat.completions.create({ model: "tiny", messages: ask("x"), n: 3 });
    expect(answer.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    const one = await client.chat.completions.create({ model: "tiny", messages: ask("x") });
    expect(answer.usage?.prompt_tokens).toBe(one.usage?.prompt_tokens);
    expect(answer.usage?.completion_tokens).toBe(3 * (one.usage?.completion_tokens ?? 0));
  });

  test("a tool is called, streaming or not", async () => {
    const tools = [{ type: "function" as const, function: { name: "weather", parameters: { type: "object" } } }];
    const body = { model: "tools", messages: ask("weather?"), tools };
    const answer = await client.chat.completions.create(body);
    const streamed = await client.chat.completions.stream(body).finalChatCompletion();
    for (const { choices } of [answer, streamed]) {
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      const [call] = choices[0]?.message.tool_calls ?? [];
      expect(call).toMatchObject({ type: "function", function: { name: "weather" } });
      expect(call?.type === "function" && JSON.parse(call.function.arguments)).toEqual({ city: "Paris" });
    }
  });

  test("logprobs come with every token", async () => {
    const body = { model: "tiny", messages: ask("x"), logprobs: true, top_logprobs: 2 };
    const answer = await client.chat.completions.create(body);
    const content = answer.choices[0]?.logprobs?.content ?? [];
    expect(content.map(({ token }) => token).join("")).toBe("Paris is the capital.");
    expect(content.every(({ top_logprobs: top }) => top.length === 2)).toBe(true);
  });

  test("a prompt is repeated with its logprobs, streaming or not, and alone with no tokens", async () => {
    const body = { model: "tiny", prompt: "A: is it", echo: true, logprobs: 1 };
    const [choice] = (await client.completions.create(body)).choices;
    const {
      tokens = [],
      text_offset: offsets = [],
      token_logprobs: values,
      top_logprobs: top,
    } = choice?.logprobs ?? {};
    expect(tokens).toEqual(["A:", " is", " it", "Paris", " is", " the", " capital."]);
    expect(tokens.every((token, index) => choice?.text.startsWith(token, offsets[index]))).toBe(true);
    expect(values).toEqual([null, ...tokens.slice(1).map(() => Math.log(0.5))]);
    expect(top).toEqual([null, ...tokens.slice(1).map((token) => ({ [token]: Math.log(0.5) }))]);
    const chunks = await Array.fromAsync(await client.completions.create({ ...body, stream: true }));
    const streamed = chunks.flatMap((chunk) => chunk.choices);
    expect(streamed.map(({ text }) => text).join("")).toBe(choice?.text);
    expect(streamed.flatMap(({ logprobs }) => logprobs?.tokens ?? [])).toEqual(tokens);
    expect(streamed.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual(offsets);
    const alone = await client.completions.create({ ...body, max_tokens: 0 });
    expect(alone.choices[0]).toMatchObject({
      text: body.prompt,
      finish_reason: "length",
      logprobs: { tokens: ["A:", " is", " it"] },
    });
    expect(alone.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 0 });
  });

  test("prompts of tokens are scored one by one, several at once", async () => {
    const tokens = [
      fakeTokenize([{ text: "one two", special: false }]),
      fakeTokenize([{ text: "three", special: false }]),
    ];
    const body = { model: "any", prompt: tokens, echo: true, logprobs: 0, max_tokens: 0 };
    const { choices } = await client.completions.create(body);
    expect(choices.map(({ text, logprobs }) => [text, logprobs?.token_logprobs])).toEqual([
      ["one two", [null, Math.log(0.5)]],
      ["three", [null]],
    ]);
  });

  test("vLLM's prompt_logprobs come with a chat and with a completion", async () => {
    interface Ranked {
      readonly rank: number;
      readonly decoded_token: string;
    }
    type Scored = { readonly prompt_logprobs?: readonly (Readonly<Record<string, Ranked>> | null)[] };
    const more: object = { prompt_logprobs: 2 };
    const chat = await client.chat.completions.create({ model: "tiny", messages: ask("x y"), ...more });
    const completion = await client.completions.create({ model: "tiny", prompt: "x y", ...more });
    const ofChat = (chat as Scored).prompt_logprobs ?? [];
    expect(ofChat).toHaveLength(chat.usage?.prompt_tokens ?? -1);
    expect(ofChat[0]).toBeNull();
    const [first, second] = (completion.choices[0] as Scored | undefined)?.prompt_logprobs ?? [];
    expect(first).toBeNull();
    expect(Object.values(second ?? {}).toSorted((a, b) => a.rank - b.rank)).toEqual([
      { logprob: Math.log(0.5), rank: 1, decoded_token: " y" },
      { logprob: Math.log(0.25), rank: 2, decoded_token: " y1" },
    ]);
    expect(completion.choices[0]?.logprobs).toBeNull();
  });

  test("texts are completed, several prompts at once, with the prompt in front when asked", async () => {
    const answer = await client.completions.create({ model: "tiny", prompt: ["A: ", "B: "], echo: true });
    expect(answer.choices.map(({ text }) => text)).toEqual(["A: Paris is the capital.", "B: Paris is the capital."]);
  });

  test("embeddings are unit vectors, also shortened", async () => {
    const input = ["the quick brown fox jumps over the lazy dog", "all that glitters is not gold"];
    const { data } = await client.embeddings.create({ model: "vectors", input, dimensions: 32 });
    for (const { embedding } of data) {
      expect(embedding).toHaveLength(32);
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    }
  });

  test("rerank gives the best first", async () => {
    const body = { model: "ranks", query: "cat", documents: ["dog", "a cat", "car"] };
    const { results } = await client.post<{ results: { index: number; relevance_score: number }[] }>("/rerank", {
      body,
    });
    const scores = results.map((result) => result.relevance_score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(results).toHaveLength(3);
  });
});

describe("nothing is dropped in silence", () => {
  const long = "word ".repeat(400);

  test("a prompt that is too long is refused, by how much it is", async () => {
    const error = await client.chat.completions
      .create({ model: "small", messages: ask(long), stream: true })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: "context_length_exceeded" });
    expect((error as APIError).message).toMatch(/128/);
  });

  test("with a policy, the answer says what was dropped", async () => {
    const body = { model: "small", messages: [...ask(long), ...ask("and now?")], overflow: "truncate-oldest" };
    const { data, response } = await client.chat.completions
      .create(body as OpenAI.ChatCompletionCreateParamsNonStreaming)
      .withResponse();
    expect(Number(response.headers.get("x-hearth-dropped-tokens"))).toBeGreaterThan(100);
    expect(data).toMatchObject({ hearth: { receipt: { policy: "truncate-oldest", dropped_messages: 1 } } });
  });
});

// On a busy machine the socket alone can take that long, though not each time.
test("a client that leaves stops the engine within a step", { retry: 2 }, async () => {
  const stopped = Promise.withResolvers<number>();
  afterTokens = async (index) => {
    if (index < 2) return;
    stopped.resolve(performance.now());
    await new Promise(() => {});
  };
  const stream = await client.chat.completions.create({ model: "tiny", messages: ask("x"), stream: true });
  await stopped.promise;
  expect(hearth.runtime.stats().running).toBe(1);
  const leftAt = performance.now();
  stream.controller.abort();
  while (hearth.runtime.stats().running > 0 && performance.now() - leftAt < 1000) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(performance.now() - leftAt).toBeLessThan(100);
  afterTokens = undefined;
});
