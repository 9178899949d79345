/** Prompts with pictures, from a stand-in for an encoder: a picture's bytes are tokens, and its rows are their embeddings. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ask, collect, failure } from "../../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../../test/make-model.ts";
import { readGguf } from "../../../formats/gguf/read.ts";
import { inspectGguf } from "../../../models/inspect.ts";
import type { GenerateRequest, LoadedModel, LoadOptions, PromptPart } from "../../../spec/engine.ts";
import type { ModelInfo } from "../../../spec/model.ts";
import { openModel } from "../__fixtures__/open.ts";
import { identifyLoad } from "../cache/disk/identity.ts";
import { loadModel } from "../model.ts";
import { startNodeThread } from "../threads/node-thread.ts";
import type { Vision } from "../vision/contract.ts";

let folder: string;
let path: string;
let info: ModelInfo;
let table: Float32Array;
let encoded = 0;
let gate: Promise<void> | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-pictures-"));
  path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 3, context: 512 });
  const found = await inspectGguf(path);
  info = { ...found, capabilities: [...found.capabilities, "vision"] };
  table = openModel(new Uint8Array(await readFile(path)), "tiny").weights("token_embd.weight");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Two tiles of rows, with a text between. */
function fakeVision(width: number): Vision {
  return {
    width,
    mostTokens: 512,
    bytes: 1000,
    async encode({ bytes }, signal) {
      encoded++;
      await gate;
      signal?.throwIfAborted();
      const rowsOf = (tokens: Uint8Array) => ({
        rows: Float32Array.from(
          [...tokens].flatMap((token) => [...table.subarray(token * width, (token + 1) * width)]),
        ),
        count: tokens.length,
        columns: tokens.length,
      });
      const half = Math.ceil(bytes.length / 2);
      return [rowsOf(bytes.subarray(0, half)), { text: "</s>" }, rowsOf(bytes.subarray(half))];
    },
    dispose: async () => {},
  };
}

async function load(more: LoadOptions = {}): Promise<LoadedModel> {
  const options = { contextTokens: 256, parallel: 4, threads: 1, batchTokens: 32, ...more };
  return await loadModel(
    { model: { name: "tiny", info }, options, call: {} },
    {
      readHeader: () => readGguf(path),
      file: { path },
      start: startNodeThread,
      cores: availableParallelism(),
      store: async ({ header, hyperparameters: { layers } }) =>
        options.diskCache && { ...options.diskCache, identity: await identifyLoad({ path, header, layers, options }) },
      vision: { identify: async () => "stand-in", open: async ({ width }) => fakeVision(width) },
    },
  );
}

async function withModel<T>(options: LoadOptions, use: (model: LoadedModel) => Promise<T>): Promise<T> {
  const model = await load(options);
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

/** A picture of so many rows; another seed gives other rows. */
function picture(seed: number, rows: number): Uint8Array {
  return Uint8Array.from({ length: rows }, (_, index) => 5 + ((seed * 31 + index * 7 + ((index * index) % 11)) % 90));
}

const before = "one two three four five six";
const after = " what is it";

function about(bytes: Uint8Array, more: Partial<GenerateRequest> = {}): GenerateRequest {
  const prompt: PromptPart[] = [
    { text: before, special: false },
    { image: { bytes } },
    { text: after, special: false },
  ];
  return { ...ask("", { topLogprobs: 2, maxTokens: 12, ignoreEos: true }), prompt, ...more };
}

/** The same with tokens in place of the rows. */
async function asTokens(model: LoadedModel, bytes: Uint8Array): Promise<readonly number[]> {
  const names = await model.tokenize(about(bytes).prompt as PromptPart[]);
  const rows = [...bytes];
  return names.map((name) => (name < 0 ? (rows.shift() ?? 0) : name));
}

const logprobs = ({ events }: Awaited<ReturnType<typeof collect>>) =>
  events.flatMap((event) => (event.type === "token-delta" ? (event.logprobs ?? []) : []));

describe("a picture in a prompt", () => {
  it("is seen as its rows are, wherever steps cut through it", async () => {
    await withModel({}, async (model) => {
      const bytes = picture(1, 90);
      const [seen, read] = [
        await collect(model, about(bytes)),
        await collect(model, { ...about(bytes), prompt: await asTokens(model, bytes) }),
      ];
      expect(seen.finish.usage.promptTokens).toBe(read.finish.usage.promptTokens);
      expect(read.finish.usage.cachedTokens).toBeLessThan(32);
      expect(logprobs(seen)).toEqual(logprobs(read));
    });
  });

  it("is found in the cache when it comes again, and never taken for another", async () => {
    await withModel({}, async (model) => {
      const [one, two] = [about(picture(1, 80)), about(picture(2, 80))];
      const first = await collect(model, one);
      const other = await collect(model, two);
      const again = await collect(model, one);
      expect(other.finish.usage.cachedTokens).toBeLessThan(20);
      expect(again.finish.usage.cachedTokens).toBeGreaterThan(80);
      expect(logprobs(again)).toEqual(logprobs(first));
      expect(logprobs(other)).not.toEqual(logprobs(first));
      // Somebody else's cache is not looked at, and nothing shows that the picture was here before.
      const count = encoded;
      const foreign = await collect(model, { ...one, tenant: "ann" });
      expect(foreign.finish.usage.cachedTokens).toBe(0);
      expect(encoded).toBe(count + 1);
      expect(logprobs(foreign)).toEqual(logprobs(first));
    });
  });

  it("gets the same answer among others as alone, also when it has to give way", async () => {
    const requests = Array.from({ length: 8 }, (_, index) =>
      about(picture(index, 60 + index), { tenant: `user${index % 3}`, maxTokens: 64 }),
    );
    const alone = await withModel({ parallel: 1 }, async (model) => {
      const answers = [];
      for (const request of requests) answers.push(logprobs(await collect(model, request)));
      return answers;
    });
    await withModel({ parallel: 4, cacheTokens: 256 }, async (model) => {
      const together = await Promise.all(requests.map((request) => collect(model, request)));
      expect(together.map(logprobs)).toEqual(alone);
      expect(model.stats?.().preemptions).toBeGreaterThan(0);
    });
  });

  it("is encoded once for all who ask at the same time, and given up when nobody waits any more", async () => {
    await withModel({}, async (model) => {
      const opened = Promise.withResolvers<void>();
      gate = opened.promise;
      const count = encoded;
      const abort = new AbortController();
      const request = about(picture(7, 50));
      const [gone, stays] = [collect(model, request, abort.signal), collect(model, request)];
      const failed = failure(gone);
      await vi.waitFor(() => expect(encoded).toBe(count + 1));
      abort.abort();
      gate = undefined;
      opened.resolve();
      expect((await failed).code).toBe("aborted");
      expect((await stays).tokens).toHaveLength(12);
      expect(encoded).toBe(count + 1);
    });
  });

  it("is there again after a sleep", async () => {
    await withModel({}, async (model) => {
      const request = about(picture(4, 40));
      const first = await collect(model, request);
      expect(await model.sleep?.()).toBe(true);
      expect(logprobs(await collect(model, request))).toEqual(logprobs(first));
    });
  });

  it("is found on disk by another process, and no other picture is", async () => {
    const diskCache = { folder: join(folder, "cache"), mostBytes: 2 ** 30 };
    const one = about(picture(1, 100));
    const first = await withModel({ diskCache }, async (model) => await collect(model, one));
    await withModel({ diskCache }, async (model) => {
      const other = await collect(model, about(picture(2, 100)));
      expect(other.finish.usage.cachedTokens).toBeLessThan(20);
      const again = await collect(model, one);
      expect(again.finish.usage.cachedTokens).toBeGreaterThan(90);
      expect(logprobs(again)).toEqual(logprobs(first));
    });
  });

  it("is too much for a context that its rows do not fit into", async () => {
    await withModel({}, async (model) => {
      expect((await failure(collect(model, about(picture(1, 300))))).code).toBe("context_too_long");
      expect((await collect(model, ask(before))).tokens).toHaveLength(16);
    });
  });
});
