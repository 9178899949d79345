import { fstatSync, readdirSync, readlinkSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { HearthError } from "../../error.ts";
import type { EngineModel, GenerateRequest } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { Tensor, TensorData, TensorType } from "../../spec/media.ts";
import type { Tasks } from "../../spec/perform.ts";
import { engineEnvironment } from "../../config/environment.ts";
import type { FakeSetup } from "../fake/child.ts";
import type { HostedModel } from "./load.ts";
import { loadHosted } from "./load.ts";
import type { HostOptions } from "./process.ts";

const model: EngineModel = {
  name: "tiny",
  path: "/nowhere/tiny.gguf",
  info: {
    format: "gguf",
    architecture: "llama",
    parameterCount: 1000,
    quantization: "F32",
    trainContextTokens: 256,
    embeddingLength: 16,
    blockCount: 1,
    vocabularySize: 100,
    kvBytesPerToken: 64,
    weightBytes: 4000,
    specialTokens: [],
    capabilities: ["generate"],
    metadata: {},
  },
};

const loaded: HostedModel[] = [];

async function load(
  setup: FakeSetup,
  options: Pick<HostOptions, "pingMs"> & { signal?: AbortSignal } = {},
): Promise<HostedModel> {
  const { signal, ...host } = options;
  const hosted = await loadHosted(
    {
      entry: new URL("../fake/child.ts", import.meta.url),
      engine: "fake",
      env: engineEnvironment(),
      setup,
      model,
      options: {},
      ...host,
    },
    signal ? { signal } : {},
  );
  loaded.push(hosted);
  return hosted;
}

const request = (text: string, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  prompt: [{ text, special: false }],
  sampling: {},
  ...more,
});

async function collect(events: AsyncIterable<GenerateEvent> | undefined): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events ?? []) all.push(event);
  return all;
}

function alive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function failure(work: Promise<unknown>): Promise<HearthError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof HearthError)) throw new Error(`expected a HearthError, got ${String(error)}`);
  return error;
}

function never(): never {
  throw new Error("it has no tasks");
}

function everyType(length: number): Record<string, Tensor> {
  const counts = Array.from({ length }, (_, index) => index % 120);
  const of = (type: TensorType, data: TensorData): Tensor => ({ type, shape: [length], data });
  return {
    float32: of("float32", Float32Array.from(counts)),
    float64: of("float64", Float64Array.from(counts)),
    float16: of("float16", Uint16Array.from(counts)),
    int8: of("int8", Int8Array.from(counts)),
    uint8: of("uint8", Uint8Array.from(counts)),
    int16: of("int16", Int16Array.from(counts)),
    int32: of("int32", Int32Array.from(counts)),
    uint32: of("uint32", Uint32Array.from(counts)),
    int64: of("int64", BigInt64Array.from(counts, BigInt)),
    uint64: of("uint64", BigUint64Array.from(counts, BigInt)),
    bool: of(
      "bool",
      Uint8Array.from(counts, (count) => count % 2),
    ),
    string: of("string", counts.slice(0, 100).map(String)),
  };
}

/** Sizes of the files that arrays travel in and this process has open. Only Linux says. */
function spools(): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((file) => {
    try {
      const name = readlinkSync(`/proc/self/fd/${file}`);
      return /\/hearth-[\da-f-]{36} \(deleted\)$/.test(name) ? [fstatSync(Number(file)).size] : [];
    } catch {
      // The descriptor that reads the folder is gone.
      return [];
    }
  });
}

afterEach(async () => {
  await Promise.all(loaded.splice(0).map((hosted) => hosted.dispose()));
});

describe("an engine in a child process", () => {
  it("streams the same events as in this process, many requests at once", async () => {
    const hosted = await load({ reply: "one two three" });
    const runs = await Promise.all([1, 2, 3].map(() => collect(hosted.generate?.(request("hello world")))));
    for (const events of runs) {
      expect(events.map(({ type }) => type)).toEqual([
        "prompt-start",
        "prompt-end",
        "token-delta",
        "token-delta",
        "token-delta",
        "finish",
      ]);
      const text = events.map((event) => (event.type === "token-delta" ? event.text : "")).join("");
      expect(text).toBe("one two three");
    }
    const { vectors } = (await hosted.embed?.({ texts: ["a b", "c"] })) ?? { vectors: [] };
    expect(vectors.map((vector) => vector instanceof Float32Array)).toEqual([true, true]);
    expect(await hosted.detokenize(await hosted.tokenize([{ text: "some words", special: false }]))).toBe("some words");
    expect(hosted.samplingOptions.has("temperature")).toBe(true);
    expect(hosted.memory().ramBytes).toBe(4000 + 64 * 256 * 8);
    expect(hosted).not.toHaveProperty("profile");
  });

  it("says what the system counts for its process, anew after each request, and where its time goes", async () => {
    const profile = { steps: 3, rows: [{ what: "attend", ms: 1.5 }] };
    const hosted = await load({ reply: "one", profile });
    const before = hosted.memory();
    expect(before.residentBytes).toBeGreaterThan(10 * 1024 ** 2);
    await collect(hosted.generate?.(request("hello")));
    expect(hosted.memory()).not.toBe(before);
    expect(await hosted.profile?.()).toEqual(profile);
  });

  it("tells what the engine has done as soon as a request is over, also of one that failed", async () => {
    const hosted = await load({ reply: "one two three" });
    expect(hosted.stats?.()).toMatchObject({ running: 0, promptTokens: 0, blocks: { total: 64, used: 0 } });
    await collect(hosted.generate?.(request("hello world")));
    expect(hosted.stats?.()).toMatchObject({ running: 0, steps: 4, promptTokens: 2, generatedTokens: 3 });
    const before = hosted.stats?.();
    await failure(collect(hosted.generate?.(request("word ".repeat(300)))));
    expect(hosted.stats?.()).not.toBe(before);
  });

  it("tells what the engine does without being asked while a request runs", async () => {
    const hosted = await load({ reply: "one two", at: 1, action: "wait" });
    for await (const event of hosted.generate?.(request("hello")) ?? []) {
      if (event.type !== "token-delta") continue;
      await expect.poll(() => hosted.stats?.(), { interval: 10 }).toMatchObject({ running: 1, generatedTokens: 1 });
      expect(hosted.stats?.().atMs).toBeLessThanOrEqual(performance.now());
      break;
    }
  });

  it("says how likely a prompt is, where its engine can", async () => {
    const prompt = [{ text: "one two", special: false }];
    const hosted = await load({});
    expect(await hosted.score?.({ prompt, topLogprobs: 0 })).toMatchObject({
      promptTokens: 2,
      first: { text: "one" },
      entries: [{ text: " two", logprob: Math.log(0.5) }],
    });
    expect(await load({ scores: false })).not.toHaveProperty("score");
  });

  it("gives a typed error back as it was thrown", async () => {
    const hosted = await load({});
    const long = Array.from({ length: 300 }, () => "word").join(" ");
    const error = await failure(collect(hosted.generate?.(request(long))));
    expect(error.code).toBe("context_too_long");
    expect(error.details).toMatchObject({ promptTokens: 300, contextTokens: 256 });
  });

  it.each([
    ["kill -9", {}, "SIGKILL", /was killed by SIGKILL/],
    ["abort() in native code", { at: 1, action: "abort" }, undefined, /was killed by SIGABRT/],
    ["an exit", { at: 1, action: "exit" }, undefined, /ended with exit code 7/],
  ] as const)("survives %s in the middle of a stream", async (_, setup, signal, message) => {
    const hosted = await load({ reply: "one two three four", at: 2, action: "wait", ...setup });
    const events: GenerateEvent[] = [];
    const reading = (async () => {
      for await (const event of hosted.generate?.(request("hello")) ?? []) {
        events.push(event);
        if (event.type === "token-delta" && signal && hosted.pid !== undefined) process.kill(hosted.pid, signal);
      }
    })();
    const error = await failure(reading);
    expect(error.code).toBe("engine_failed");
    expect(error.message).toMatch(message);
    expect(error.message).toContain('"tiny"');
    expect(events.some(({ type }) => type === "finish")).toBe(false);
    await hosted.died;
    expect((await failure(hosted.tokenize([]))).code).toBe("engine_failed");
    expect((await failure(collect(hosted.generate?.(request("again"))))).code).toBe("engine_failed");
  });

  it("keeps the last words of a child that crashed", async () => {
    const hosted = await load({ reply: "one two", at: 1, action: "exit" });
    const error = await failure(collect(hosted.generate?.(request("hello"))));
    expect(String(error.cause)).toContain("fake engine: exit at token 1");
  });

  it("stops reading at once when the caller aborts, and the others go on", async () => {
    const hosted = await load({ reply: "one two three", at: 1, action: "wait" });
    const controller = new AbortController();
    const error = await failure(
      (async () => {
        for await (const event of hosted.generate?.(request("hello"), { signal: controller.signal }) ?? []) {
          if (event.type === "token-delta") controller.abort();
        }
      })(),
    );
    expect(error.code).toBe("aborted");
    expect(await hosted.tokenize([{ text: "still here", special: false }])).toHaveLength(2);
  });

  it("frees the slot of a reader that leaves the loop", async () => {
    const hosted = await load({ reply: "one two three", at: 1, action: "wait" });
    for (let round = 0; round < 12; round++) {
      for await (const event of hosted.generate?.(request(`hello ${round}`)) ?? []) {
        if (event.type === "token-delta") break;
      }
    }
    expect(hosted.parallel).toBeLessThan(12);
  });

  it("throws the reason when loading fails, and leaves no process", async () => {
    expect(await failure(load({ failLoad: "throw" }))).toMatchObject({ code: "internal", message: "bad weights" });
    const error = await failure(load({ failLoad: "exit" }));
    expect(error.code).toBe("engine_load_failed");
    expect(error.message).toMatch(/"tiny".*exit code 3/);
  });

  it("kills a child that hangs", async () => {
    const hosted = await load({ reply: "one two", at: 1, action: "hang" }, { pingMs: 25 });
    const events = collect(hosted.generate?.(request("hello")));
    const error = await failure(events);
    expect(error.message).toMatch(/did not answer any more/);
    await hosted.died;
    expect(alive(hosted.pid)).toBe(false);
  });

  it("is gone after dispose, however often that is called, and has not died", async () => {
    const hosted = await load({ reply: "one two", at: 1, action: "wait" });
    const reading = failure(collect(hosted.generate?.(request("hello"))));
    await Promise.all([hosted.dispose(), hosted.dispose()]);
    expect((await reading).message).toMatch(/was unloaded/);
    expect(alive(hosted.pid)).toBe(false);
    const state = await Promise.race([hosted.died.then(() => "died"), Promise.resolve("not died")]);
    expect(state).toBe("not died");
  });

  it("ends a child that hangs all the same", async () => {
    const hosted = await load({ reply: "one two", at: 1, action: "hang" });
    const reading = failure(collect(hosted.generate?.(request("hello"))));
    await hosted.dispose();
    expect((await reading).code).toBe("engine_failed");
    expect(alive(hosted.pid)).toBe(false);
  });

  it("takes and gives tensors of every type, large and small, many requests at once", async () => {
    const hosted = await load({ echoes: true });
    const infer = async (elements: number): Promise<void> => {
      const inputs = everyType(elements);
      expect(await hosted.perform?.("infer", { inputs })).toEqual({ outputs: inputs });
    };
    await Promise.all([3, 20_000, 70_000, 5, 300_000, 20_001, 0].map(infer));
  });

  it("takes large tensors from many requests when its process is killed, and leaves no file", async () => {
    const hosted = await load({ echoes: true });
    const large = { type: "float32", shape: [500_000], data: new Float32Array(500_000) } as const;
    const failures = Array.from({ length: 6 }, (_, index) =>
      failure(hosted.perform?.("infer", { inputs: { x: large, [index === 5 ? "exit" : "wait"]: large } }) ?? never()),
    );
    for (const { code, message } of await Promise.all(failures)) {
      expect([code, message]).toEqual(["engine_failed", expect.stringContaining("exit code 7")]);
    }
    await hosted.died;
    expect(spools()).toEqual([]);
  });

  it.skipIf(process.platform !== "linux")("gives the memory of what was cancelled back", async () => {
    const hosted = await load({ echoes: true }, { pingMs: 25 });
    const x = { type: "float32", shape: [100_000], data: new Float32Array(100_000) } as const;
    const cancelled = async (inputs: Tasks["infer"]["request"]["inputs"], afterMs: number): Promise<void> => {
      const signal = AbortSignal.timeout(afterMs);
      expect(await failure(hosted.perform?.("infer", { inputs }, { signal }) ?? never())).toMatchObject({
        code: "aborted",
      });
    };
    expect(spools()).toHaveLength(2);
    await cancelled({ x, wait: x }, 50);
    const left = new AbortController();
    const reply = failure(hosted.perform?.("infer", { inputs: { x } }, { signal: left.signal }) ?? never());
    left.abort();
    await reply;
    await expect.poll(spools, { interval: 10 }).toEqual([0, 0]);
    expect(await hosted.perform?.("infer", { inputs: { x } })).toEqual({ outputs: { x } });
  });

  it("gives the child no secrets", () => {
    const env = engineEnvironment({
      PATH: "/bin",
      HEARTH_API_KEY: "k",
      HF_TOKEN: "t",
      NODE_OPTIONS: "--inspect",
      CUDA_VISIBLE_DEVICES: "0",
    });
    expect(env).toEqual({ PATH: "/bin", CUDA_VISIBLE_DEVICES: "0" });
  });
});
