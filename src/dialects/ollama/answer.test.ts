import { describe, expect, test } from "vitest";
import { eventsOf, finish, say, start, text } from "../../../test/fake-hearth.ts";
import { callRoute, createOllamaHearth, framesOf, jsonOf } from "../../../test/conformance/ollama-hearth.ts";
import type { OllamaHearthOptions } from "../../../test/conformance/ollama-hearth.ts";
import { HearthError } from "../../error.ts";
import type { ChatEvent } from "../../spec/event.ts";
import type { ChatRequest } from "../../spec/task.ts";
import type { Reply } from "../route.ts";

const messages = [{ role: "user", content: "Hi" }];
const metrics = {
  total_duration: 53_000_000,
  load_duration: 2_000_000,
  prompt_eval_count: 7,
  prompt_eval_duration: 10_000_000,
  eval_count: 4,
  eval_duration: 40_000_000,
};
const rfc3339: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const head = { model: "tiny", created_at: rfc3339 };

async function chat(body: object, options: OllamaHearthOptions = {}): Promise<Reply> {
  return await callRoute(createOllamaHearth(options), "POST /api/chat", { model: "tiny", messages, ...body });
}

async function generate(body: object, options: OllamaHearthOptions = {}): Promise<Reply> {
  return await callRoute(createOllamaHearth(options), "POST /api/generate", { model: "tiny", prompt: "Hi", ...body });
}

function scripted(...events: readonly ChatEvent[]): OllamaHearthOptions {
  return { generate: () => eventsOf(events) };
}

describe("a chat", () => {
  test("streams by default and ends with counts and nanoseconds", async () => {
    expect(await framesOf(await chat({}))).toEqual([
      { ...head, message: { role: "assistant", content: "Hello" }, done: false },
      { ...head, message: { role: "assistant", content: " world." }, done: false },
      { ...head, message: { role: "assistant", content: "" }, done: true, done_reason: "stop", ...metrics },
    ]);
  });

  test("is one object with stream: false", async () => {
    expect(jsonOf(await chat({ stream: false }))).toEqual({
      ...head,
      message: { role: "assistant", content: "Hello world." },
      done: true,
      done_reason: "stop",
      ...metrics,
    });
  });

  test("says that it was cut off", async () => {
    const cut = { generate: () => say(["Hel"], "length") };
    expect(jsonOf(await chat({ stream: false }, cut))).toMatchObject({ done: true, done_reason: "length" });
    expect((await framesOf(await chat({}, cut))).at(-1)).toMatchObject({ done: true, done_reason: "length" });
  });

  test("reports reasoning apart from the answer", async () => {
    const script = scripted(start, { type: "reasoning-delta", index: 0, text: "Hm." }, text("Yes"), finish());
    const frames = await framesOf(await chat({}, script));
    expect(frames.map(({ message }) => message)).toEqual([
      { role: "assistant", content: "", thinking: "Hm." },
      { role: "assistant", content: "Yes" },
      { role: "assistant", content: "" },
    ]);
    expect(jsonOf(await chat({ stream: false }, script))["message"]).toEqual({
      role: "assistant",
      content: "Yes",
      thinking: "Hm.",
    });
  });

  const callEvents: readonly ChatEvent[] = [
    start,
    { type: "tool-call-start", index: 0, callIndex: 0, id: "c1", name: "weather" },
    { type: "tool-call-delta", index: 0, callIndex: 0, argumentsDelta: '{"city":' },
    { type: "tool-call-end", index: 0, callIndex: 0, id: "c1", name: "weather", arguments: '{"city":"Oslo"}' },
    { type: "tool-call-end", index: 0, callIndex: 1, id: "c2", name: "time", arguments: "" },
    finish("tool-calls"),
  ];
  const calls = [
    { id: "c1", function: { index: 0, name: "weather", arguments: { city: "Oslo" } } },
    { id: "c2", function: { index: 1, name: "time", arguments: {} } },
  ];

  test("sends each tool call whole, its arguments as an object", async () => {
    const frames = await framesOf(await chat({}, scripted(...callEvents)));
    expect(frames.map(({ message }) => (message as { tool_calls?: unknown }).tool_calls)).toEqual([
      [calls[0]],
      [calls[1]],
      undefined,
    ]);
    expect(frames.at(-1)).toMatchObject({ done: true, done_reason: "stop" });
    const body = jsonOf(await chat({ stream: false }, scripted(...callEvents)));
    expect(body["message"]).toEqual({ role: "assistant", content: "", tool_calls: calls });
  });

  test.each(["[1]", '{"city":', '"x"', "null"])("fails when a model wrote the arguments %s", async (args) => {
    const end: ChatEvent = { type: "tool-call-end", index: 0, callIndex: 0, id: "c", name: "weather", arguments: args };
    const reply = await chat({}, scripted(start, end, finish("tool-calls")));
    await expect(framesOf(reply)).rejects.toThrow('arguments for the tool "weather"');
  });

  test("carries the receipt of what was dropped in the header and in the last object", async () => {
    const receipt = {
      policy: "truncate-oldest",
      droppedTokens: 120,
      droppedMessages: 3,
      promptTokensBefore: 620,
      promptTokensAfter: 500,
    } as const;
    const script = scripted({ ...start, receipt } as ChatEvent, text("Ok"), finish());
    const wire = {
      policy: "truncate-oldest",
      dropped_tokens: 120,
      dropped_messages: 3,
      prompt_tokens_before: 620,
      prompt_tokens_after: 500,
    };
    const streamed = await chat({ truncate: true }, script);
    expect(streamed.headers).toEqual({ "x-hearth-dropped-tokens": "120" });
    expect((await framesOf(streamed)).at(-1)).toMatchObject({ done: true, hearth: { receipt: wire } });
    const whole = await chat({ truncate: true, stream: false }, script);
    expect(whole.headers).toEqual({ "x-hearth-dropped-tokens": "120" });
    expect(jsonOf(whole)).toMatchObject({ done: true, hearth: { receipt: wire } });
  });

  test("sends logprobs only when asked, alternatives only when asked for", async () => {
    const token = { token: 5, text: "Yes", logprob: -0.1, bytes: [89, 101, 115] };
    const other = { token: 6, text: "No", logprob: -2.5, bytes: [78, 111] };
    const event: ChatEvent = {
      type: "text-delta",
      index: 0,
      text: "Yes",
      logprobs: [{ ...token, top: [token, other] }],
    };
    const script = scripted(start, event, finish());
    const yes = { token: "Yes", logprob: -0.1, bytes: [89, 101, 115] };
    const no = { token: "No", logprob: -2.5, bytes: [78, 111] };
    expect((await framesOf(await chat({}, script)))[0]).not.toHaveProperty("logprobs");
    expect((await framesOf(await chat({ logprobs: true }, script)))[0]).toMatchObject({ logprobs: [yes] });
    const body = jsonOf(await chat({ stream: false, logprobs: true, top_logprobs: 2 }, script));
    expect(body["logprobs"]).toEqual([{ ...yes, top_logprobs: [yes, no] }]);
  });
});

describe("a refusal", () => {
  test("comes before the stream begins, so that it has a status", async () => {
    async function* refuse(): AsyncIterable<ChatEvent> {
      yield* eventsOf([]);
      throw new HearthError("context_too_long", "The prompt is 12 tokens too long.");
    }
    await expect(chat({}, { generate: refuse })).rejects.toMatchObject({ code: "context_too_long", status: 400 });
  });

  test("names an unknown model as Ollama's clients expect, with what was meant", async () => {
    for (const endpoint of ["POST /api/chat", "POST /api/generate"]) {
      const work = callRoute(createOllamaHearth(), endpoint, { model: "tiny:latst" });
      await expect(work).rejects.toMatchObject({
        code: "model_not_found",
        status: 404,
        message: expect.stringMatching(/^model 'tiny:latst' not found\. Did you mean "tiny:latest"\?$/) as unknown,
      });
    }
    await expect(chat({ model: "tinny" })).rejects.toThrow(/^model 'tinny' not found/);
  });

  test("says that a model cannot think, unless thinking is off", async () => {
    await expect(chat({ think: true })).rejects.toThrow('"tiny" does not support thinking');
    await expect(generate({ think: "low" })).rejects.toThrow('"tiny" does not support thinking');
    await expect(chat({ think: false })).resolves.toMatchObject({ kind: "ndjson" });
    await expect(chat({ model: "thinker", think: true })).resolves.toMatchObject({ kind: "ndjson" });
  });

  test("has a reason without a body", async () => {
    await expect(callRoute(createOllamaHearth(), "POST /api/chat")).rejects.toMatchObject({ code: "bad_request" });
  });
});

describe("a stream that is left early", () => {
  test("ends the events behind it", async () => {
    let ended = false;
    async function* endless(): AsyncIterable<ChatEvent> {
      try {
        yield start;
        for (;;) yield text("x");
      } finally {
        ended = true;
      }
    }
    const reply = await chat({}, { generate: endless });
    if (reply.kind !== "ndjson") throw new Error(reply.kind);
    for await (const frame of reply.frames) {
      expect(frame).toMatchObject({ done: false });
      break;
    }
    expect(ended).toBe(true);
  });

  test("that ends without a finish event is an error, never a silent success", async () => {
    await expect(framesOf(await chat({}, scripted(start, text("x"))))).rejects.toMatchObject({ code: "internal" });
    await expect(chat({ stream: false }, scripted(start, text("x")))).rejects.toMatchObject({ code: "internal" });
  });
});

describe("generate", () => {
  test("says `response`, and hands out a context that the next request honours", async () => {
    const hearth = createOllamaHearth();
    const body = { model: "tiny", prompt: "Hi", system: "Be brief." };
    const frames = await framesOf(await callRoute(hearth, "POST /api/generate", body));
    expect(frames.slice(0, 2)).toEqual([
      { ...head, response: "Hello", done: false },
      { ...head, response: " world.", done: false },
    ]);
    const last = frames.at(-1) ?? {};
    expect(last).toMatchObject({ ...head, response: "", done: true, done_reason: "stop", ...metrics });
    await callRoute(hearth, "POST /api/generate", { model: "tiny", prompt: "More", context: last["context"] });
    expect((hearth.requests[1] as ChatRequest).messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello world." },
      { role: "user", content: "More" },
    ]);
  });

  test("gives the same context with stream: false", async () => {
    const streamed = (await framesOf(await generate({}))).at(-1)?.["context"];
    expect(jsonOf(await generate({ stream: false }))["context"]).toEqual(streamed);
  });

  test("raw goes to complete and hands out no context", async () => {
    const hearth = createOllamaHearth();
    const body = { model: "tiny", prompt: "<s>Hi", raw: true, stream: false };
    const whole = jsonOf(await callRoute(hearth, "POST /api/generate", body));
    expect(whole).toMatchObject({ response: "Hello world.", done: true });
    expect(whole).not.toHaveProperty("context");
    expect(hearth.requests[0]).toMatchObject({ prompt: "<s>Hi", special: true });
  });
});

describe("an empty prompt", () => {
  test.each([
    ["POST /api/chat", { message: { role: "assistant", content: "" } }],
    ["POST /api/generate", { response: "" }],
  ])("loads and unloads a model (%s)", async (endpoint, fields) => {
    const hearth = createOllamaHearth();
    const load = { model: "tiny", keep_alive: "10m", options: { num_ctx: 1024 } };
    const loaded = jsonOf(await callRoute(hearth, endpoint, load));
    expect(loaded).toEqual({ ...head, ...fields, done: true, done_reason: "load" });
    expect(hearth.acquired).toEqual([
      expect.objectContaining({ model: "tiny", keepAliveMs: 600_000, load: { contextTokens: 1024 } }),
    ]);
    expect(hearth.released).toBe(1);
    expect(hearth.statuses).toHaveLength(1);

    const unload = async (): Promise<unknown> =>
      jsonOf(await callRoute(hearth, endpoint, { model: "tiny:latest", keep_alive: 0 }));
    const done = { ...head, model: "tiny:latest", ...fields, done: true, done_reason: "unload" };
    expect(await unload()).toEqual({ ...done, hearth: { unloaded: true } });
    expect(hearth.statuses).toHaveLength(0);
    expect(await unload()).toEqual({ ...done, hearth: { unloaded: false } });
    expect(hearth.acquired).toHaveLength(1);
  });
});
