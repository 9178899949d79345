import { describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import type { ModelStats } from "../../src/client/types.ts";
import type { Services } from "../../src/commands/services.ts";
import { noStats } from "../../src/spec/stats.ts";
import { width } from "../../src/terminal/style.ts";
import { createHistogram } from "../../src/util/histogram.ts";
import { hearth, start } from "./run-main.ts";

const quick = createHistogram([0.01, 0.1, 1]);
quick.observe(0.005, 100);

function modelAt(second: number, name: string): ModelStats {
  const counters = {
    ...noStats,
    steps: 10 * second,
    stepTokens: 45 * second,
    promptTokens: 400 * second,
    cachedTokens: 300 * second,
    restoredTokens: 20 * second,
    generatedTokens: 25 * second,
    draftedTokens: 8 * second,
    acceptedTokens: 6 * second,
    atMs: 1000 * second,
  };
  const latency = {
    firstToken: quick.read(),
    betweenTokens: quick.read(),
    duration: quick.read(),
    queue: quick.read(),
  };
  return {
    name,
    state: "ready",
    engine: "flint",
    device: "cpu",
    running: 3,
    waiting: 2,
    ramBytes: 1024 ** 3,
    vramBytes: 0,
    counters,
    latency,
    blocks: { total: 64, used: 16, cached: 24 },
    diskBytes: 5000,
  };
}

/** A server whose clock goes on by a second with each sleep. After `lives` sleeps `onEnd` is called. */
function fakeServer(
  options: { name?: string; lives?: number; onEnd?: () => void; idle?: boolean } = {},
): Partial<Services> {
  const { name = "tiny:1b", lives = Infinity, onEnd, idle } = options;
  let second = 1;
  return {
    connect: async () => ({
      health: async () => ({ status: "ok" }),
      loaded: async () => [],
      stop: async () => false,
      sleep: async () => {},
      stats: async () => ({ atMs: 1000 * second, models: idle ? [] : [modelAt(second, name)] }),
    }),
    async sleep(_ms, signal) {
      if (second++ >= lives) onEnd?.();
      signal.throwIfAborted();
    },
  };
}

describe("hearth top", () => {
  test("--once prints what the models do and how well, and ends", async () => {
    const { code, stdout } = await hearth(["top", "--once"], { services: fakeServer(), terminal: { stdout: true } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^tiny:1b +ready +flint +3 +2 +80\.0 +25\.0 +4\.5 +1\.0 GiB$/m);
    expect(stdout).toMatch(/^tiny:1b +##===\.\.\. 16\/24\/64 +75% +5% +75% +5\.0ms\/9\.9ms +5\.0ms\/9\.9ms$/m);
    expect(stdout.match(/NAME/g)).toHaveLength(2);
  });

  test("without a terminal it prints one table too, without escape codes", async () => {
    const { code, stdout } = await hearth(["top"], { services: fakeServer() });
    expect(code).toBe(0);
    expect(stdout.match(/^tiny:1b/gm)).toHaveLength(2);
    expect(stdout).not.toContain("\u001b");
  });

  test("on a terminal each table takes the place of the one before, and Ctrl-C ends it with 0", async () => {
    const stop = new AbortController();
    const services = fakeServer({ lives: 3, onEnd: () => stop.abort() });
    const live = start(["top"], { services, terminal: { stdout: true }, signal: stop.signal });
    const { code, stdout, stderr } = await live.done;
    expect(code).toBe(0);
    expect(stderr).toBe("");
    const tables = stdout.split("\u001b[5A\u001b[J");
    expect(tables).toHaveLength(3);
    expect(tables[0]).toMatch(/^tiny:1b +ready +flint +3 +2 +- +- +4\.5/m);
    expect(tables[1]).toMatch(/^tiny:1b +ready +flint +3 +2 +80\.0 +25\.0 +4\.5/m);
  });

  test("--json prints a snapshot a line until it is told to stop, on a terminal or not", async () => {
    const stop = new AbortController();
    const services = fakeServer({ lives: 2, onEnd: () => stop.abort() });
    const { code, stdout } = await hearth(["top", "--json"], { services, signal: stop.signal });
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { models: object[] });
    expect(lines).toHaveLength(2);
    expect(lines[0]?.models[0]).not.toHaveProperty("answerTokensPerSecond");
    expect(lines[1]?.models[0]).toMatchObject({
      name: "tiny:1b",
      running: 3,
      waiting: 2,
      promptTokensPerSecond: 80,
      answerTokensPerSecond: 25,
      tokensPerStep: 4.5,
      memoryHits: 0.75,
      diskHits: 0.05,
      acceptance: 0.75,
      blocks: { total: 64, used: 16, cached: 24 },
      diskBytes: 5000,
      firstTokenMs: { p50: 5, p99: expect.closeTo(9.9) },
    });
  });

  test("--json --once prints one snapshot", async () => {
    const { stdout } = await hearth(["top", "--json", "--once"], { services: fakeServer() });
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  });

  test("no line is wider than the terminal, however long the name of a model", async () => {
    const services = fakeServer({ name: "owner/a-model-with-a-very-long-name-indeed:and-a-long-tag-q4_k_m" });
    const { stdout } = await hearth(["top", "--once"], { services, terminal: { stdout: true } });
    const widest = Math.max(...stdout.split("\n").map(width));
    expect(widest).toBeLessThanOrEqual(100);
    expect(stdout).toMatch(/^owner\/a-mod[^ ]*… +ready .* GiB$/m);
  });

  test("it says when no model is loaded", async () => {
    const { stdout } = await hearth(["top", "--once"], { services: fakeServer({ idle: true }) });
    expect(stdout).toBe("No model is loaded.\n");
  });

  test("an interrupted --once has failed", async () => {
    const stop = new AbortController();
    const services = fakeServer({ lives: 1, onEnd: () => stop.abort(new HearthError("aborted", "Interrupted.")) });
    const { code, stdout } = await hearth(["top", "--once"], { services, signal: stop.signal });
    expect([code, stdout]).toEqual([130, ""]);
  });
});
