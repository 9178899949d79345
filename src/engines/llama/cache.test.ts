import type { LlamaContextSequence, Token } from "node-llama-cpp";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createCache } from "./cache.ts";
import type { Cache } from "./cache.ts";
import type { States } from "./states/states.ts";

/** A sequence that computes nothing. */
class FakeSequence {
  contextTokens: Token[] = [];
  get nextTokenIndex(): number {
    return this.contextTokens.length;
  }
  async clearHistory(): Promise<void> {
    this.contextTokens = [];
  }
  async adaptStateToTokens(tokens: readonly Token[]): Promise<void> {
    this.contextTokens = this.contextTokens.slice(0, tokens.length);
  }
  async saveStateToFile(path: string): Promise<void> {
    saved.push(`${path}: ${this.contextTokens.length}`);
  }
}

let saved: string[];
let sequences: FakeSequence[];

const states = {
  find: () => undefined,
  save: (_: unknown, write: (path: string) => Promise<void>) => write("state"),
} as unknown as States;

beforeEach(() => {
  vi.useFakeTimers();
  saved = [];
  sequences = [new FakeSequence(), new FakeSequence()];
});
afterEach(() => {
  vi.useRealTimers();
});

function open(copies = false): Cache {
  return createCache({ sequences: sequences as unknown as LlamaContextSequence[], copies, states, restMs: 60_000 });
}

const prompt = (first: number, length = 300): Token[] => Array.from({ length }, (_, index) => (first + index) as Token);

/** A request that computes its prompt. */
async function run(cache: Cache, tokens: Token[]): Promise<void> {
  const turn = await cache.take({ prompt: tokens }, undefined);
  await turn.reuse();
  (turn.sequence as unknown as FakeSequence).contextTokens = [...tokens];
  turn.release();
}

describe("the cache of a llama.cpp model", () => {
  it("keeps a prompt on disk when another one takes its place", async () => {
    sequences = [new FakeSequence()];
    const cache = open();
    await run(cache, prompt(0));
    await run(cache, [...prompt(0), ...prompt(5000)]);
    expect(saved).toEqual([]);
    await run(cache, prompt(9000));
    expect(saved).toEqual(["state: 600"]);
  });

  it("keeps everything on disk after a minute without a request, and not while there is one", async () => {
    const cache = open();
    await run(cache, prompt(0));
    await vi.advanceTimersByTimeAsync(59_000);
    const turn = await cache.take({ prompt: prompt(5000) }, undefined);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(saved).toEqual([]);
    turn.release();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(saved).toEqual(["state: 300"]);
  });

  it("keeps what rests when the model is unloaded, the latest first", async () => {
    const cache = open();
    await run(cache, prompt(0, 300));
    await run(cache, prompt(5000, 400));
    await cache.keep();
    expect(saved).toEqual(["state: 400", "state: 300"]);
  });

  it("tells a caller who is gone that the request was cancelled, also while it waits for another one's prefix", async () => {
    const cache = open(true);
    await cache.take({ prompt: prompt(0) }, undefined);
    const controller = new AbortController();
    const turn = await cache.take({ prompt: prompt(0) }, controller.signal);
    const reused = turn.reuse();
    controller.abort();
    await expect(reused).rejects.toMatchObject({ code: "aborted" });
    const waiting = cache.take({ prompt: prompt(0) }, AbortSignal.abort());
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  });
});
