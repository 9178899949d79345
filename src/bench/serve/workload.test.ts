import { expect, test } from "vitest";
import { jainIndex, percentile } from "../statistics.ts";
import { createPrompts, createRandom } from "../workload.ts";
import { agentTurns, withoutCommonStart } from "./agent.ts";
import { mixedLengths } from "./mixed.ts";
import { usersOfClients } from "./queue.ts";
import { createScenarios, defaultSizes } from "./scenarios.ts";
import { copiedShare, passages, repeatPrompt } from "./texts.ts";

const prompts = (seed: number): ((length: number) => number[]) => createPrompts(32_000, createRandom(seed));

test("every scenario fits into the context of the smallest common models", () => {
  for (const scenario of Object.values(createScenarios(defaultSizes))) {
    expect([scenario.name, scenario.neededTokens <= 2048]).toEqual([scenario.name, true]);
  }
});

test("mixed lengths are the same for the same seed, stay in their bounds, and short ones are frequent", () => {
  const sizes = { clients: 16, requests: 50, least: 16, most: 1024 };
  const lengths = mixedLengths(sizes, 4096, 1);
  expect(mixedLengths(sizes, 4096, 1)).toEqual(lengths);
  expect(mixedLengths(sizes, 4096, 2)).not.toEqual(lengths);
  expect(lengths.map((client) => client.length)).toEqual(Array<number>(16).fill(50));
  const all = lengths.flat().flatMap(({ promptTokens, tokens }) => [promptTokens, tokens]);
  expect(Math.min(...all)).toBeGreaterThanOrEqual(16);
  expect(Math.max(...all)).toBeLessThanOrEqual(1024);
  expect(percentile(all, 0.5)).toBeLessThan(200);
});

test("a mixed request never outgrows its context", () => {
  const lengths = mixedLengths({ clients: 16, requests: 50, least: 16, most: 1024 }, 1100, 3).flat();
  for (const { promptTokens, tokens } of lengths) {
    expect(promptTokens + tokens).toBeLessThan(1100);
    expect(tokens).toBeGreaterThan(0);
  }
});

test("each turn of an agent repeats the one before with its answer, and adds new tokens", () => {
  const turns = agentTurns({ turns: 20, newTokens: 60, answerTokens: 40 }, prompts(1));
  expect(turns.map(({ prompt }) => prompt.length)).toEqual(turns.map((_, turn) => 60 + 100 * turn));
  for (const [index, turn] of turns.slice(1).entries()) {
    const before = turns[index];
    const answer = Array<number | undefined>(40).fill(before?.answer);
    expect(turn.prompt.slice(0, -60)).toEqual([...(before?.prompt ?? []), ...answer]);
  }
});

test("turns without a common start differ in their first token alone", () => {
  const turns = agentTurns({ turns: 5, newTokens: 6, answerTokens: 4 }, prompts(1));
  const alone = withoutCommonStart(turns, prompts(2));
  expect(new Set(alone.map(({ prompt }) => prompt[0])).size).toBe(5);
  expect(alone.map(({ prompt }) => prompt.slice(1))).toEqual(turns.map(({ prompt }) => prompt.slice(1)));
});

test("the heavy user comes first, and the others share the rest evenly", () => {
  const users = usersOfClients({ clients: 200, users: 8, heavy: 60 });
  expect(users.slice(0, 60)).toEqual(Array<number>(60).fill(0));
  const counts = Array.from({ length: 8 }, (_, user) => users.filter((each) => each === user).length);
  expect(counts).toEqual([60, 20, 20, 20, 20, 20, 20, 20]);
});

test("what an answer takes over is counted in runs of four words", () => {
  const prompt = repeatPrompt(passages[0] ?? "");
  expect(copiedShare(prompt, passages[0] ?? "")).toBe(1);
  expect(copiedShare(prompt, "Of course: the ferry went\n  left the harbour at and so on.")).toBeCloseTo(4 / 12);
  expect(copiedShare(prompt, "the harbour a gulls")).toBe(0);
  expect(copiedShare(prompt, "")).toBe(0);
});

test("a percentile is one of the values: the least that so many do not exceed", () => {
  expect(percentile([5, 1, 3, 2, 4], 0.5)).toBe(3);
  expect(percentile([5, 1, 3, 2, 4], 0.99)).toBe(5);
  expect(
    percentile(
      Array.from({ length: 200 }, (_, index) => index + 1),
      0.99,
    ),
  ).toBe(198);
  expect(percentile([], 0.5)).toBeNaN();
});

test("the Jain index is 1 when all have got the same, and 1/n when one has got all", () => {
  expect(jainIndex([7, 7, 7])).toBe(1);
  expect(jainIndex([9, 0, 0])).toBeCloseTo(1 / 3);
  expect(jainIndex([60, ...Array<number>(7).fill(20)])).toBeCloseTo(0.78, 2);
  expect(jainIndex([0, 0])).toBeNaN();
});
