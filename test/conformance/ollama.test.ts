/** The official `ollama` client, and our own, against our server over a real socket. */
import { Ollama } from "ollama";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { HearthError } from "../../src/error.ts";
import type { PullOptions } from "../../src/models/contract.ts";
import type { RunningServer } from "../../src/server/index.ts";
import { serve } from "../../src/server/index.ts";
import type { ChatEvent } from "../../src/spec/event.ts";
import type { ChatRequest, CompleteRequest } from "../../src/spec/task.ts";
import { eventsOf, finish, say, sayAndWait, start, text } from "../fake-hearth.ts";
import type { OllamaHearth } from "./ollama-hearth.ts";
import { createOllamaHearth } from "./ollama-hearth.ts";

type Script = (request: ChatRequest | CompleteRequest) => AsyncIterable<ChatEvent>;

let script: Script = () => say(["Hello", " world."]);
let hearth: OllamaHearth;
let server: RunningServer;
let ollama: Ollama;

beforeEach(async () => {
  script = () => say(["Hello", " world."]);
  hearth = createOllamaHearth({
    settings: { host: "127.0.0.1", port: 0 },
    generate: (asked) => script(asked),
    remote: [{ name: "new" }],
  });
  server = await serve({ hearth });
  ollama = new Ollama({ host: server.url });
});

afterEach(async () => {
  await server.shutdown();
});

const messages = [{ role: "user", content: "Hi" }];

describe("the official client chats", () => {
  test("in one piece", async () => {
    const answer = await ollama.chat({ model: "tiny", messages });
    expect(answer).toMatchObject({
      model: "tiny",
      message: { role: "assistant", content: "Hello world." },
      done: true,
      done_reason: "stop",
      prompt_eval_count: 7,
      eval_count: 4,
      total_duration: 53_000_000,
    });
    expect(Number.isNaN(Date.parse(String(answer.created_at)))).toBe(false);
  });

  test("as a stream", async () => {
    const parts = await Array.fromAsync(await ollama.chat({ model: "tiny", messages, stream: true }));
    expect(parts.map(({ message }) => message.content)).toEqual(["Hello", " world.", ""]);
    expect(parts.map(({ done }) => done)).toEqual([false, false, true]);
  });

  test("with tools, both ways", async () => {
    const call: ChatEvent = {
      type: "tool-call-end",
      index: 0,
      callIndex: 0,
      id: "c1",
      name: "weather",
      arguments: '{"city":"Oslo"}',
    };
    script = () => eventsOf([start, call, finish("tool-calls")]);
    const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }];
    const { message } = await ollama.chat({ model: "tiny", messages, tools });
    expect(message.tool_calls?.[0]?.function).toMatchObject({ name: "weather", arguments: { city: "Oslo" } });

    const result = { role: "tool", tool_name: "weather", content: "rain" };
    await ollama.chat({ model: "tiny", messages: [...messages, message, result], tools });
    expect((hearth.requests[1] as ChatRequest).messages.slice(1)).toEqual([
      { role: "assistant", content: "", toolCalls: [{ id: "c1", name: "weather", arguments: '{"city":"Oslo"}' }] },
      { role: "tool", content: "rain", toolCallId: "c1", name: "weather" },
    ]);
  });

  test("with thinking, a schema and options", async () => {
    script = () => eventsOf([start, { type: "reasoning-delta", index: 0, text: "Hm." }, text("{}"), finish()]);
    const { message } = await ollama.chat({
      model: "thinker",
      messages,
      think: true,
      format: { type: "object" },
      keep_alive: "1m",
      options: { temperature: 0, seed: 1, num_ctx: 1024, num_predict: 9, stop: ["\n"] },
    });
    expect(message).toEqual({ role: "assistant", content: "{}", thinking: "Hm." });
    expect(hearth.requests[0]).toMatchObject({
      think: true,
      format: { type: "json-schema", schema: { type: "object" } },
      keepAliveMs: 60_000,
      sampling: { temperature: 0, seed: 1 },
      load: { contextTokens: 1024 },
      maxTokens: 9,
      stop: ["\n"],
    });
  });

  test("and stops: the generation behind it is aborted", async () => {
    const stopped = Promise.withResolvers<void>();
    script = (asked) => sayAndWait(asked, ["Hel"], stopped.resolve);
    const stream = await ollama.chat({ model: "tiny", messages, stream: true });
    const read = async (): Promise<void> => {
      for await (const part of stream) {
        expect(part.message.content).toBe("Hel");
        stream.abort();
      }
    };
    await expect(read()).rejects.toThrow(/abort/i);
    await stopped.promise;
  });
});

describe("the official client generates", () => {
  test("in one piece and as a stream", async () => {
    expect(await ollama.generate({ model: "tiny", prompt: "Hi" })).toMatchObject({
      response: "Hello world.",
      done: true,
    });
    const parts = await Array.fromAsync(await ollama.generate({ model: "tiny", prompt: "Hi", stream: true }));
    expect(parts.map(({ response }) => response)).toEqual(["Hello", " world.", ""]);
  });

  test("with the context of the answer before", async () => {
    const { context } = await ollama.generate({ model: "tiny", prompt: "Hi" });
    await ollama.generate({ model: "tiny", prompt: "More", context });
    expect((hearth.requests[1] as ChatRequest).messages.map(({ content }) => content)).toEqual([
      "Hi",
      "Hello world.",
      "More",
    ]);
  });
});

describe("the official client reads and manages models", () => {
  test("list, show, version", async () => {
    const { models } = await ollama.list();
    expect(models.map(({ name }) => name)).toEqual(["thinker:latest", "tiny:latest", "vectors:latest"]);
    const shown = await ollama.show({ model: "tiny" });
    expect(shown).toMatchObject({ capabilities: ["completion"], details: { family: "llama" } });
    expect((await ollama.version()).version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test("load, ps, unload", async () => {
    await ollama.generate({ model: "tiny", prompt: "" });
    expect((await ollama.ps()).models).toMatchObject([{ name: "tiny:latest", size: 1024, size_vram: 24 }]);
    const { done_reason } = await ollama.generate({ model: "tiny", prompt: "", keep_alive: 0 });
    expect(done_reason).toBe("unload");
    expect((await ollama.ps()).models).toEqual([]);
  });

  test("copy and delete", async () => {
    await ollama.copy({ source: "tiny", destination: "mine" });
    await ollama.delete({ model: "tiny" });
    const names = (await ollama.list()).models.map(({ name }) => name);
    expect(names).toContain("mine:latest");
    expect(names).not.toContain("tiny:latest");
  });

  test("pull with progress, and in one piece", async () => {
    const parts = await Array.fromAsync(await ollama.pull({ model: "new", stream: true }));
    expect(parts[0]).toEqual({ status: "pulling manifest" });
    expect(parts.at(-1)).toEqual({ status: "success" });
    expect(parts.some(({ total, completed }) => total > 0 && completed === total)).toBe(true);
    expect(await ollama.pull({ model: "new" })).toEqual({ status: "success" });
  });

  test("stops a pull", async () => {
    const stopped = Promise.withResolvers<void>();
    hearth.library.pull = async (_name: string, { signal, onProgress }: PullOptions = {}) => {
      onProgress?.({ phase: "download", label: "a", completedBytes: 1, totalBytes: 9 });
      return await new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => {
          stopped.resolve();
          reject(signal.reason as Error);
        });
      });
    };
    const stream = await ollama.pull({ model: "new", stream: true });
    const read = async (): Promise<void> => {
      for await (const { completed } of stream) if (completed) stream.abort();
    };
    await expect(read()).rejects.toThrow(/abort/i);
    await stopped.promise;
  });

  test("embeds", async () => {
    const { embeddings } = await ollama.embed({ model: "vectors", input: ["a", "bb"] });
    expect(embeddings).toEqual([
      [1, 0.5, -0.25],
      [2, 0.5, -0.25],
    ]);
    expect(await ollama.embeddings({ model: "vectors", prompt: "abc" })).toEqual({ embedding: [3, 0.5, -0.25] });
  });
});

describe("the official client is told what went wrong", () => {
  test.each([
    [
      "an unknown model",
      { model: "tiny:latst", messages },
      404,
      /^model 'tiny:latst' not found\. Did you mean "tiny:latest"\?/,
    ],
    ["an option that cannot be honoured", { model: "tiny", messages, options: { numa: true } }, 400, /options\.numa/],
    ["a wrong type", { model: "tiny", messages: [{ role: "robot", content: "" }] }, 400, /messages\[0\]\.role/],
    ["a model that cannot think", { model: "tiny", messages, think: true }, 400, /does not support thinking/],
  ])("%s", async (_what, body, status, message) => {
    const expected = { name: "ResponseError", status_code: status, error: expect.stringMatching(message) as unknown };
    await expect(ollama.chat(body)).rejects.toMatchObject(expected);
    await expect(ollama.chat({ ...body, stream: true })).rejects.toMatchObject(expected);
  });

  test("a failure in the middle of a stream", async () => {
    script = async function* () {
      yield* eventsOf([start, text("Hel")]);
      throw new HearthError("engine_failed", "The engine died.");
    };
    const stream = await ollama.chat({ model: "tiny", messages, stream: true });
    await expect(Array.fromAsync(stream)).rejects.toThrow("The engine died.");
    script = () => say(["again"]);
    expect((await ollama.chat({ model: "tiny", messages })).message.content).toBe("again");
  });

  test("creating and pushing models is not offered", async () => {
    await expect(ollama.create({ model: "x", from: "tiny" })).rejects.toMatchObject({ status_code: 400 });
    await expect(ollama.push({ model: "x" })).rejects.toThrow("not offered by this server");
  });
});

describe("on the wire", () => {
  test.each(["/", "/api/version", "/api/tags"])("HEAD %s is answered", async (path) => {
    expect((await fetch(server.url + path, { method: "HEAD" })).status).toBe(200);
  });

  test("the greeting is text, and needs no key", async () => {
    const response = await fetch(`${server.url}/`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(await response.text()).toBe("Ollama is running");
  });

  test("a stream is NDJSON, one object a line", async () => {
    const body = JSON.stringify({ model: "tiny", messages });
    const response = await fetch(`${server.url}/api/chat`, { method: "POST", body, headers: json });
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = (await response.text()).split("\n");
    expect(lines.pop()).toBe("");
    expect(lines.map((line) => (JSON.parse(line) as { done: boolean }).done)).toEqual([false, false, true]);
  });
});

const json = { "content-type": "application/json" };

describe("our own client", () => {
  test("reads health, models and what is loaded, and stops models", async () => {
    const client = createClient({ baseUrl: server.url });
    expect(await client.health()).toMatchObject({ status: "ok" });
    expect((await client.models()).map(({ name }) => name)).toContain("tiny:latest");
    await ollama.generate({ model: "tiny", prompt: "", keep_alive: -1 });
    expect(await client.loaded()).toEqual([
      {
        name: "tiny:latest",
        id: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
        state: "ready",
        engine: "fake",
        device: "cpu",
        contextTokens: 2048,
        parallel: 8,
        running: 0,
        waiting: 0,
        ramBytes: 1000,
        vramBytes: 24,
        expiresAt: undefined,
      },
    ]);
    expect(await client.stop("tiny")).toBe(true);
    expect(await client.stop("tiny")).toBe(false);
    await expect(client.stop("tinny")).rejects.toMatchObject({ code: "model_not_found" });
  });

  test("chats, and leaving the loop stops the generation", async () => {
    const client = createClient({ baseUrl: server.url });
    const events = await Array.fromAsync(client.chat({ model: "tiny", messages }));
    expect(events).toEqual([
      { type: "start", model: expect.stringMatching(/^tiny/) as unknown, droppedTokens: 0 },
      { type: "text-delta", text: "Hello" },
      { type: "text-delta", text: " world." },
      {
        type: "finish",
        reason: "stop",
        usage: { promptTokens: 7, cachedTokens: 2, completionTokens: 4 },
        timings: { promptMs: 10, generateMs: 40 },
      },
    ]);
    const stopped = Promise.withResolvers<void>();
    script = (asked) => sayAndWait(asked, ["Hel"], stopped.resolve);
    for await (const event of client.chat({ model: "tiny", messages })) if (event.type === "text-delta") break;
    await stopped.promise;
  });

  test("pulls with progress", async () => {
    const progress = await Array.fromAsync(createClient({ baseUrl: server.url }).pull("new"));
    expect(progress.at(-1)).toEqual({ status: "success" });
    expect(progress).toContainEqual(expect.objectContaining({ file: "model.gguf", completedBytes: 667_000_000 }));
  });

  test("says that no server answers", async () => {
    const { url } = server;
    await server.shutdown();
    await expect(createClient({ baseUrl: url }).health()).rejects.toMatchObject({ code: "offline" });
  });
});
