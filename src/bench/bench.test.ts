import { expect, test } from "vitest";
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
});

test("the median of an even number of rounds is the mean of the two in the middle", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([9, 1, 5])).toBe(5);
});

test("a ratio above one means that ours is better, for times and for rates", () => {
  const ratio = compare([figures(2), figures(2), figures(8)], [figures(1), figures(1), figures(1)]);
  expect(ratio).toEqual({ load: 2, firstToken: 2, prefill: 2, decode: 2, clients8: 2 });
});

test("the same seed gives the same prompts, another seed others, and clients never share one", () => {
  const options = { vocabularySize: 32_000, promptTokens: 64, decodeTokens: 8, clients: 16, seed: 7 };
  const workload = createWorkload(options);
  expect(createWorkload(options)).toEqual(workload);
  expect(createWorkload({ ...options, seed: 8 }).longPrompt).not.toEqual(workload.longPrompt);
  expect(new Set(workload.clientPrompts.map((prompt) => prompt.join())).size).toBe(16);
  for (const token of workload.longPrompt) expect(token >= 300 && token < 32_000).toBe(true);
});

test("a round takes each figure of all in turn, and unloads even when a measurement fails", async () => {
  const calls: string[] = [];
  const contestant = (name: string, fail = false): Contestant => ({
    name,
    async load() {
      calls.push(`${name} load`);
    },
    async generate(prompt, tokens, onToken) {
      if (fail) throw new Error("broken");
      calls.push(`${name} ${prompt.length}/${tokens}`);
      for (let index = 0; index < tokens; index++) onToken();
    },
    async unload() {
      calls.push(`${name} unload`);
    },
  });
  const workload = createWorkload({ vocabularySize: 1000, promptTokens: 50, decodeTokens: 9, clients: 4, seed: 1 });
  const rounds = await measureRound([contestant("a"), contestant("b")], workload, [1, 4]);
  const ofA = ["load", "32/4", ...Array<string>(7).fill("32/1"), "32/9", "50/1", ...Array<string>(5).fill("64/64")];
  expect(calls.filter((call) => call.startsWith("a "))).toEqual([...ofA, "unload"].map((call) => `a ${call}`));
  expect(calls.slice(0, 6)).toEqual(["a load", "b load", "b 32/4", "a 32/4", "a 32/1", "b 32/1"]);
  expect(rounds.map((round) => Object.keys(round.clients))).toEqual([
    ["1", "4"],
    ["1", "4"],
  ]);
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
    machineLoad: { before: 0.1, after: 1 },
    ours: summarize(rounds),
    peer: { name: "llama.cpp", ...summarize(rounds) },
    ratio: compare(rounds, rounds),
  });
  expect(text).toMatch(/decode, tok\/s\s+5\.0\s+5\.0\s+1\.00 x/);
  expect(text).toMatch(/8 clients, tok\/s\s+20\.0/);
});
