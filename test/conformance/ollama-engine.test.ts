/** The official `ollama` client against server, tasks and runtime as they are, with an engine that is scripted. */
import { Ollama } from "ollama";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Engines } from "../../src/engines/contract.ts";
import type { FakeEngine } from "../../src/engines/fake/engine.ts";
import { createFakeEngine } from "../../src/engines/fake/engine.ts";
import { createRuntime } from "../../src/runtime/runtime.ts";
import type { RunningServer } from "../../src/server/index.ts";
import { serve } from "../../src/server/index.ts";
import { chat } from "../../src/tasks/chat.ts";
import { complete } from "../../src/tasks/complete.ts";
import type { Hearth } from "../../src/tasks/contract.ts";
import { embed } from "../../src/tasks/embed.ts";
import { perform } from "../../src/tasks/perform.ts";
import { rerank } from "../../src/tasks/rerank.ts";
import { defaultSettings } from "../fake-hearth.ts";
import { createFakeLibrary } from "../fake-library.ts";

const gibibyte = 1024 ** 3;

let engine: FakeEngine;
let hearth: Hearth;
let server: RunningServer;
let ollama: Ollama;
/** Called before each token, so that a test can wait for one. */
let beforeToken: () => Promise<void>;

beforeEach(async () => {
  beforeToken = async () => {};
  engine = createFakeEngine({
    reply: (prompt) => (prompt.includes("story") ? "once upon a time there was a fox" : "Paris is it"),
    beforeToken: async () => await beforeToken(),
  });
  hearth = createHearth(engine);
  server = await serve({ hearth });
  ollama = new Ollama({ host: server.url });
});

afterEach(async () => {
  await server.shutdown();
  await hearth.dispose();
});

function createHearth(fake: FakeEngine): Hearth {
  const settings = { ...defaultSettings, host: "127.0.0.1", port: 0 };
  const library = createFakeLibrary([
    { name: "tiny" },
    { name: "vectors", info: { capabilities: ["embed"], pooling: "mean" } },
  ]);
  const engines: Engines = {
    choose: async () => ({ engine: "fake", device: "cpu", reasons: ["it is the only one"] }),
    get: async () => fake,
  };
  const memory = (): { totalBytes: number; availableBytes: number } => ({
    totalBytes: 64 * gibibyte,
    availableBytes: 64 * gibibyte,
  });
  const runtime = createRuntime({ library, engines, settings, memory });
  return {
    settings,
    library,
    runtime,
    chat: (request) => chat(runtime, request),
    complete: (request) => complete(runtime, request),
    embed: async (request) => await embed(runtime, request),
    rerank: async (request) => await rerank(runtime, request),
    perform: async (request) => await perform(runtime, request),
    dispose: async () => await runtime.dispose(),
  };
}

const messages = [{ role: "user", content: "What is the capital of France?" }];

describe("generation", () => {
  test("chats, streams and counts", async () => {
    const whole = await ollama.chat({ model: "tiny", messages });
    expect(whole.message.content).toBe("Paris is it");
    expect(whole.eval_count).toBeGreaterThan(0);
    expect(whole.prompt_eval_count).toBeGreaterThan(0);
    expect(whole.total_duration).toBeGreaterThanOrEqual(whole.eval_duration);
    const parts = await Array.fromAsync(await ollama.chat({ model: "tiny:latest", messages, stream: true }));
    expect(parts.map(({ message }) => message.content).join("")).toBe("Paris is it");
    expect(engine.loads).toBe(1);
  });

  test("ends at num_predict and at stop", async () => {
    const short = await ollama.chat({ model: "tiny", messages, options: { num_predict: 1 } });
    expect(short).toMatchObject({ done_reason: "length", eval_count: 1 });
    const stopped = await ollama.chat({ model: "tiny", messages, options: { stop: [" it"] } });
    expect(stopped).toMatchObject({ done_reason: "stop", message: { content: "Paris is" } });
  });

  test("goes on with a raw prompt; a model that cannot fill gaps says so", async () => {
    const raw = await ollama.generate({ model: "tiny", prompt: "Tell a story", raw: true });
    expect(raw.response).toBe("once upon a time there was a fox");
    await expect(ollama.generate({ model: "tiny", prompt: "a", suffix: "b" })).rejects.toMatchObject({
      status_code: 400,
    });
  });

  test("hands out logprobs", async () => {
    const { logprobs } = await ollama.chat({ model: "tiny", messages, logprobs: true, top_logprobs: 2 });
    expect(logprobs?.map(({ token }) => token).join("")).toBe("Paris is it");
    expect(logprobs?.[0]?.top_logprobs).toHaveLength(2);
  });

  test("refuses a prompt that does not fit, and cuts it with a receipt when asked", async () => {
    const long = Array.from({ length: 60 }, (_, index) => ({
      role: index % 2 === 0 ? "user" : "assistant",
      content: "one two three four five six seven eight nine ten",
    }));
    const body = { model: "tiny", messages: [...long, ...messages], options: { num_ctx: 256 } };
    await expect(ollama.chat(body)).rejects.toMatchObject({ status_code: 400 });
    const response = await fetch(`${server.url}/api/chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...body, truncate: true, stream: false }),
    });
    const { hearth: extras } = (await response.json()) as { hearth: { receipt: Record<string, number> } };
    expect(response.status).toBe(200);
    expect(extras.receipt).toMatchObject({ policy: "truncate-oldest" });
    expect(extras.receipt["dropped_tokens"]).toBeGreaterThan(0);
    expect(response.headers.get("x-hearth-dropped-tokens")).toBe(String(extras.receipt["dropped_tokens"]));
  });

  test("an abort stops the engine, and the next request is answered", async () => {
    const waiting = Promise.withResolvers<void>();
    beforeToken = async () => {
      waiting.resolve();
      await new Promise(() => {});
    };
    const stream = await ollama.chat({ model: "tiny", messages, stream: true });
    const read = Array.fromAsync(stream);
    await waiting.promise;
    expect(hearth.runtime.stats().running).toBe(1);
    stream.abort();
    await expect(read).rejects.toThrow(/abort/i);
    beforeToken = async () => {};
    expect((await ollama.chat({ model: "tiny", messages })).message.content).toBe("Paris is it");
    await expect.poll(() => hearth.runtime.stats().running).toBe(0);
  });
});

describe("models", () => {
  test("are loaded with the options of the request, listed, and unloaded", async () => {
    await ollama.generate({ model: "tiny", prompt: "", options: { num_ctx: 512 }, keep_alive: -1 });
    const { models } = await ollama.ps();
    expect(models).toMatchObject([{ name: "tiny:latest", context_length: 512 }]);
    expect(new Date(models[0]?.expires_at ?? 0).getFullYear()).toBe(2318);
    await ollama.generate({ model: "tiny", prompt: "", keep_alive: 0 });
    expect((await ollama.ps()).models).toEqual([]);
    await ollama.chat({ model: "tiny", messages, keep_alive: "2m" });
    const [loaded] = (await ollama.ps()).models;
    const left = new Date(loaded?.expires_at ?? 0).getTime() - Date.now();
    expect(left).toBeGreaterThan(60_000);
    expect(left).toBeLessThanOrEqual(120_000);
  });

  test("embed texts as vectors of length 1", async () => {
    const { embeddings, prompt_eval_count } = await ollama.embed({ model: "vectors", input: ["a fox", "a cat"] });
    expect(embeddings).toHaveLength(2);
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    expect(prompt_eval_count).toBeGreaterThan(0);
    await expect(ollama.embed({ model: "tiny", input: "x" })).rejects.toMatchObject({ status_code: 400 });
    await expect(ollama.chat({ model: "vectors", messages })).rejects.toMatchObject({ status_code: 400 });
  });
});
