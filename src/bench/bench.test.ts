import { expect, test } from "vitest";
import { createFakeEngine } from "../engines/fake/engine.ts";
import type { FakeOptions } from "../engines/fake/options.ts";
import { createHearth } from "../tasks/hearth.ts";
import type { Hearth } from "../tasks/contract.ts";
import { createFakeLibrary } from "../../test/fake-library.ts";
import { runBench } from "./index.ts";
import { formatProfile, runProfile } from "./profile.ts";
import { measureRound, type Contestant, type Figures } from "./measure.ts";
import { compare, formatReport, summarize } from "./report.ts";
import { median } from "./statistics.ts";
import { createWorkload } from "./workload.ts";

const figures = (scale: number): Figures => ({
  load: 100 / scale,
  firstToken: 10 / scale,
  prefill: 50 * scale,
  decode: 5 * scale,
  clients: { "8": 20 * scale },
  residentBytes: (700 * 1024 ** 2) / scale,
});

test("the median of an even number of rounds is the mean of the two in the middle", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([9, 1, 5])).toBe(5);
});

test("a ratio above one means that ours is better, for times and for rates", () => {
  const ratio = compare([figures(2), figures(2), figures(8)], [figures(1), figures(1), figures(1)]);
  expect(ratio).toEqual({ load: 2, firstToken: 2, prefill: 2, decode: 2, clients8: 2, memory: 2 });
  const silent = { ...figures(1), residentBytes: Number.NaN };
  expect(compare([figures(1)], [silent])).not.toHaveProperty("memory");
});

test("the same seed gives the same prompts, another seed others, and clients never share one", () => {
  const options = { vocabularySize: 32_000, promptTokens: 64, decodeTokens: 8, clients: 16, prompts: 3, seed: 7 };
  const workload = createWorkload(options);
  expect(createWorkload(options)).toEqual(workload);
  expect(createWorkload({ ...options, seed: 8 }).longPrompts).not.toEqual(workload.longPrompts);
  expect(workload.longPrompts.map((prompt) => prompt.length)).toEqual([64, 64, 64]);
  expect(new Set(workload.clientPrompts.map((prompt) => prompt.join())).size).toBe(16);
  for (const token of workload.longPrompts.flat()) expect(token >= 300 && token < 32_000).toBe(true);
});

test("a round takes each figure of all in turn, and unloads even when a measurement fails", async () => {
  const calls: string[] = [];
  const contestant = (name: string, fail = false): Contestant => ({
    name,
    async load() {
      calls.push(`${name} load`);
    },
    async generate({ prompt, tokens }, onToken) {
      if (fail) throw new Error("broken");
      calls.push(`${name} ${prompt.length}/${tokens}`);
      for (let index = 0; index < tokens; index++) onToken();
    },
    residentBytes: () => (name === "a" ? 123 : undefined),
    async unload() {
      calls.push(`${name} unload`);
    },
  });
  const sizes = { vocabularySize: 1000, promptTokens: 50, decodeTokens: 9, clients: 4, prompts: 2 };
  const workload = createWorkload({ ...sizes, seed: 1 });
  const rounds = await measureRound([contestant("a"), contestant("b")], workload, [1, 4]);
  const many = (count: number, call: string): string[] => Array<string>(count).fill(call);
  const ofA = ["load", "32/4", ...many(7, "32/1"), ...many(2, "32/9"), ...many(2, "50/1"), ...many(5, "64/64")];
  expect(calls.filter((call) => call.startsWith("a "))).toEqual([...ofA, "unload"].map((call) => `a ${call}`));
  expect(calls.slice(0, 6)).toEqual(["a load", "b load", "b 32/4", "a 32/4", "a 32/1", "b 32/1"]);
  expect(rounds.map((round) => Object.keys(round.clients))).toEqual([
    ["1", "4"],
    ["1", "4"],
  ]);
  expect(rounds.map((round) => round.residentBytes)).toEqual([123, undefined]);
  await expect(measureRound([contestant("a"), contestant("c", true)], workload, [1])).rejects.toThrow("broken");
  expect(calls.slice(-2)).toEqual(["a unload", "c unload"]);
});

test("the table shows both sides and the ratio", () => {
  const rounds = [figures(1)];
  const text = formatReport({
    model: "m",
    engine: "llama",
    device: "cpu",
    rounds: 1,
    promptTokens: 512,
    decodeTokens: 128,
    parallel: 8,
    contextTokens: 2048,
    threads: 2,
    fileBytes: 600 * 1024 ** 2,
    prompts: 3,
    machineLoad: { before: 0.1, after: 1 },
    ours: summarize(rounds),
    peer: { name: "llama.cpp", ...summarize(rounds) },
    ratio: compare(rounds, rounds),
  });
  expect(text).toMatch(/decode, tok\/s\s+5\.0\s+5\.0\s+1\.00 x/);
  expect(text).toMatch(/8 clients, tok\/s\s+20\.0/);
  expect(text).toMatch(/memory, MiB\s+700\s+700\s+1\.00 x/);
  expect(text).toMatch(/2 threads, context 2048, 8 sequences; weights 600 MiB/);
});

function fakeHearth(options: FakeOptions): Hearth {
  const engine = createFakeEngine({ reply: "a b c d e f g h", ...options });
  const engines = {
    choose: async () => ({ engine: "fake", device: "cpu", reasons: [] }) as const,
    get: async () => engine,
  };
  return createHearth({ library: createFakeLibrary([{ name: "tiny" }]), engines });
}

test("a bench of a whole hearth names the engine that ran, its threads and its memory", async () => {
  const hearth = fakeHearth({ memory: { ramBytes: 5, vramBytes: 0, residentBytes: 1024 ** 2 } });
  const sizes = { promptTokens: 40, decodeTokens: 8, prompts: 1, runs: 2, clients: [1] };
  const report = await runBench({ hearth, model: "tiny", ...sizes });
  expect(report).toMatchObject({ engine: "fake", device: "cpu", rounds: 2, prompts: 1, fileBytes: 667_000_000 });
  expect(report.threads).toBeGreaterThan(0);
  expect(report.ours.memory).toBe(1024 ** 2);
  expect(report.ours.prefill).toBeGreaterThan(0);
  expect(report).not.toHaveProperty("ratio");
  expect(hearth.runtime.loaded()).toEqual([]);
});

test("a profile has the engine's own figures for decoding and for a prompt, and what lies between", async () => {
  const profile = { steps: 8, rows: [{ what: "attend", ms: 0.5 }] };
  const hearth = fakeHearth({ profile });
  const report = await runProfile({ hearth, model: "tiny", promptTokens: 40, decodeTokens: 8 });
  expect(report).toMatchObject({ engine: "fake", decode: { ...profile, tokens: 8 }, prefill: { tokens: 40 } });
  expect(hearth.runtime.loaded()).toEqual([]);
  const phase = { ...profile, tokens: 8, wallMs: 2 };
  const text = formatProfile({ model: "tiny", engine: "fake", decode: phase, prefill: phase });
  expect(text).toMatch(/decode: 8 tokens.*\n +attend +0\.063 +25\.0 %\n +between the steps +0\.188 +75\.0 %/);
  expect(text).toMatch(/prefill: 8 tokens.*\n +attend +0\.500 +25\.0 %/);
});

test("an engine that cannot say where its time goes is named, and unloaded again", async () => {
  const hearth = fakeHearth({});
  await expect(runProfile({ hearth, model: "tiny" })).rejects.toMatchObject({
    code: "unsupported_option",
    message: "The engine fake cannot say where its time goes.",
  });
  expect(hearth.runtime.loaded()).toEqual([]);
});
