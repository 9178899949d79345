// The main job, end to end: a real model, the real engine, a real socket, and the clients that people use.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ollama } from "ollama";
import OpenAI, { APIError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostedModel } from "../../src/engines/host/load.ts";
import { serve, type RunningServer } from "../../src/server/index.ts";
import type { Hearth } from "../../src/tasks/contract.ts";
import { createHearth } from "../../src/tasks/hearth.ts";
import { makeTinyBert } from "../make-model.ts";
import { cachedDataFolder, cachedLibrary } from "../real-model.ts";

const question = "What is the capital of France?";
const story = "Tell me a long story about a fox and a river.";
const messages = [{ role: "user" as const, content: question }];

let folder: string;
let hearth: Hearth;
let server: RunningServer;
let openai: OpenAI;
let ollama: Ollama;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-real-"));
  const library = cachedLibrary();
  await library.pull("tinyllama");
  // What an earlier run has computed is not to be found by this one.
  const settings = { data: cachedDataFolder(), device: "cpu", diskCache: 0 } as const;
  hearth = createHearth({ library, settings: { ...settings, context: 1024, parallel: 4 } });
  server = await serve({ hearth, port: 0 });
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  ollama = new Ollama({ host: server.url });
}, 900_000);

afterAll(async () => {
  await server?.shutdown();
  await hearth?.dispose();
  await rm(folder, { recursive: true, force: true });
});

describe("a real model behind the server", () => {
  test("knows the capital of France, for both clients", async () => {
    const completion = await openai.chat.completions.create({ model: "tinyllama", messages, max_tokens: 40 });
    expect(completion.choices[0]?.message.content).toContain("Paris");
    expect(completion.usage?.completion_tokens).toBeGreaterThan(3);
    const answer = await ollama.chat({ model: "tinyllama", messages, options: { num_predict: 40 } });
    expect(answer.message.content).toContain("Paris");
    expect(answer.eval_count).toBeGreaterThan(3);
    expect(answer.eval_duration).toBeGreaterThan(1_000_000);
  });

  test("streams the same text that it gives at once", async () => {
    const request = { model: "tinyllama", messages, max_tokens: 24, temperature: 0 };
    const whole = await openai.chat.completions.create(request);
    const stream = await openai.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let pieces = 0;
    let tokens = 0;
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta.content ?? "";
      if (piece !== "") pieces++;
      text += piece;
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(pieces).toBeGreaterThan(5);
    expect(tokens).toBe(whole.usage?.completion_tokens);
  });

  test("the same seed gives the same text", async () => {
    const ask = async (seed: number): Promise<string> => {
      const answer = await ollama.generate({
        model: "tinyllama",
        prompt: story,
        options: { seed, temperature: 1, num_predict: 16 },
      });
      return answer.response ?? "";
    };
    const first = await ask(7);
    expect(await ask(7)).toBe(first);
    expect(await ask(8)).not.toBe(first);
  });

  test("answers in JSON when it is told to", async () => {
    const schema = { type: "object", properties: { capital: { type: "string" } }, required: ["capital"] };
    const answer = await ollama.chat({ model: "tinyllama", messages, format: schema, options: { num_predict: 60 } });
    const value = JSON.parse(answer.message.content) as { capital?: unknown };
    expect(typeof value.capital).toBe("string");
  });

  test("gives logprobs that are probabilities", async () => {
    const completion = await openai.chat.completions.create({
      model: "tinyllama",
      messages,
      max_tokens: 4,
      temperature: 0,
      logprobs: true,
      top_logprobs: 5,
    });
    const entries = completion.choices[0]?.logprobs?.content ?? [];
    expect(entries.length).toBeGreaterThan(0);
    for (const entry of entries) {
      const sum = entry.top_logprobs.reduce((total, { logprob }) => total + Math.exp(logprob), 0);
      expect(sum).toBeLessThanOrEqual(1.0001);
      expect(entry.logprob).toBeCloseTo(entry.top_logprobs[0]?.logprob ?? Number.NaN, 4);
    }
  });

  test("serves four requests at once", async () => {
    const asked = Array.from({ length: 4 }, async (_, index) => {
      const content = `Count to ${index + 5}.`;
      return await openai.chat.completions.create({
        model: "tinyllama",
        messages: [{ role: "user", content }],
        max_tokens: 12,
      });
    });
    for (const completion of await Promise.all(asked)) expect(completion.choices[0]?.message.content).not.toBe("");
    expect(hearth.runtime.stats().loads).toBe(1);
  });

  test("a client that leaves stops the generation", async () => {
    const stream = await openai.chat.completions.create({
      model: "tinyllama",
      messages: [{ role: "user", content: story }],
      stream: true,
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    stream.controller.abort();
    await expect.poll(() => hearth.runtime.stats().running, { timeout: 10_000 }).toBe(0);
  });

  test("kill -9 of the engine ends the stream with an error, and the next request is answered", async () => {
    const lease = await hearth.runtime.acquire({ model: "tinyllama" });
    const { pid } = lease.loaded as HostedModel;
    lease.release();
    const stream = await openai.chat.completions.create({
      model: "tinyllama",
      messages: [{ role: "user", content: story }],
      stream: true,
    });
    const read = async (): Promise<void> => {
      for await (const chunk of stream) {
        if (chunk.choices[0]?.delta.content && pid !== undefined) process.kill(pid, "SIGKILL");
      }
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
    const completion = await openai.chat.completions.create({ model: "tinyllama", messages, max_tokens: 40 });
    expect(completion.choices[0]?.message.content).toContain("Paris");
    expect(hearth.runtime.stats().engineDeaths).toBe(1);
  });

  test("a prompt that does not fit is refused with the figures, or cut with a receipt", async () => {
    const long = [{ role: "user" as const, content: `${"word ".repeat(1500)}${question}` }];
    const request = openai.chat.completions.create({ model: "tinyllama", messages: long, max_tokens: 8 });
    await expect(request).rejects.toThrow(/1024/);
    const cut = await ollama.chat({ model: "tinyllama", messages: long, options: { num_predict: 8 } }).catch(String);
    expect(cut).toMatch(/1024/);
    const completion = await openai.chat.completions
      .create({ model: "tinyllama", messages: long, max_tokens: 8, overflow: "truncate-oldest" } as never)
      .withResponse();
    expect(Number(completion.response.headers.get("x-hearth-dropped-tokens"))).toBeGreaterThan(400);
  });

  test("lists, shows and refuses models as the clients expect", async () => {
    const ids: string[] = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    expect(ids).toContain("tinyllama:1.1b");
    const shown = await ollama.show({ model: "tinyllama" });
    expect(shown.details).toMatchObject({ format: "gguf", family: "llama", parameter_size: "1.1B" });
    expect((await ollama.ps()).models[0]?.name).toBe("tinyllama:1.1b");
    await expect(openai.models.retrieve("nothing")).rejects.toBeInstanceOf(NotFoundError);
    await expect(ollama.chat({ model: "tinylama", messages })).rejects.toThrow(/tinyllama/);
  });
});

test("an embedding model gives vectors of length one, the same to both clients", async () => {
  const path = await makeTinyBert(join(folder, "bert.gguf"), { pooling: "mean", seed: 1 });
  const library = cachedLibrary();
  const bert = createHearth({ library, settings: { data: cachedDataFolder(), device: "cpu", diskCache: 0 } });
  const { vectors } = await bert.embed({ model: path, texts: ["one", "two", "one"] });
  await bert.dispose();
  expect(vectors).toHaveLength(3);
  for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  expect([...(vectors[0] ?? [])]).toEqual([...(vectors[2] ?? [])]);
  expect([...(vectors[0] ?? [])]).not.toEqual([...(vectors[1] ?? [])]);
});

test("`hearth run tinyllama QUESTION` writes the answer to stdout and all else to stderr", async () => {
  const env = { ...process.env, HEARTH_DATA: cachedDataFolder(), HEARTH_DEVICE: "cpu", HEARTH_DISK_CACHE: "off" };
  const child = spawn(process.execPath, ["src/cli.ts", "run", "tinyllama", question], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const read = async (stream: AsyncIterable<unknown>): Promise<string> => {
    let text = "";
    for await (const chunk of stream) text += String(chunk);
    return text;
  };
  const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)]);
  expect(stdout).toMatch(/^[^\n]*Paris[^\n]*\n$/);
  expect(stderr).toContain("loading tinyllama:1.1b");
});
