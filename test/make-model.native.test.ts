// The models that tests write are real ones: llama.cpp loads and runs them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import type { Llama, LlamaModel, Token } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeTinyBert, makeTinyLlama } from "./make-model.ts";
import type { TinyLlamaOptions } from "./make-model.ts";

let folder: string;
let llama: Llama;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-tiny-"));
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1 });
});
afterAll(async () => {
  await llama.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function load(options: TinyLlamaOptions = {}): Promise<LlamaModel> {
  const path = await makeTinyLlama(join(folder, "llama.gguf"), options);
  return await llama.loadModel({ modelPath: path, gpuLayers: 0 });
}

async function generate(model: LlamaModel, text: string, count: number): Promise<Token[]> {
  const context = await model.createContext({ contextSize: 128, threads: 1 });
  const tokens: Token[] = [];
  for await (const token of context.getSequence().evaluate(model.tokenize(text, true), { temperature: 0 })) {
    tokens.push(token);
    if (tokens.length === count) break;
  }
  await context.dispose();
  return tokens;
}

describe("the tiny llama", () => {
  test.each(["F32", "F16", "Q8_0", "Q4_0"] as const)(
    "generates 20 tokens of readable text with %s weights",
    async (type) => {
      const model = await load({ type });
      const tokens = await generate(model, "hello world", 20);
      expect(tokens).toHaveLength(20);
      expect(new Set(tokens).size).toBeGreaterThan(10);
      expect(model.detokenize(tokens)).toMatch(/^[\x20-\x7E]+$/);
      await model.dispose();
    },
  );

  test("says the same for the same seed and something else for another", async () => {
    const answers: string[] = [];
    for (const seed of [1, 1, 2]) {
      const model = await load({ seed });
      answers.push(model.detokenize(await generate(model, "hello", 12)));
      await model.dispose();
    }
    expect(answers[0]).toBe(answers[1]);
    expect(answers[0]).not.toBe(answers[2]);
  });

  test("says what is likely next by all of the prompt", async () => {
    const model = await load();
    const context = await model.createContext({ contextSize: 64, threads: 1 });
    const sequence = context.getSequence();
    const probability = async (text: string): Promise<number | undefined> => {
      await sequence.clearHistory();
      const output = await sequence.controlledEvaluate(
        model
          .tokenize(text)
          .map((token, index, all) =>
            index < all.length - 1 ? token : [token, { generateNext: { probabilities: true } }],
          ),
      );
      return [...(output.at(-1)?.next.probabilities?.values() ?? [])][0];
    };
    const first = await probability("the world is good");
    expect(first).toBeGreaterThan(0);
    expect(first).not.toBe(await probability("no world is good"));
    await model.dispose();
  });

  test("tokenizes any text and gives it back, and takes ChatML tokens as such", async () => {
    const model = await load();
    const text = 'Hello wörld 🦙\t{"a": [1, 2]}\n  indented';
    expect(model.detokenize(model.tokenize(text))).toBe(text);
    expect(model.tokenize("the world").length).toBe(2);
    expect(model.tokenize("<|im_start|>user\n", true)[0]).toBe(259);
    expect(model.tokenize("<|im_end|>")).not.toContain(260);
    expect(model.tokens.eotString).toBe("<|im_end|>");
    await model.dispose();
  });

  test("ends at once with a bias towards its end tokens", async () => {
    const model = await load({ endBias: 30 });
    expect(await generate(model, "hello", 20)).toHaveLength(0);
    await model.dispose();
  });
});

describe("the tiny bert", () => {
  test("gives texts that share words vectors that are close", async () => {
    const model = await llama.loadModel({ modelPath: await makeTinyBert(join(folder, "bert.gguf")), gpuLayers: 0 });
    const context = await model.createEmbeddingContext({ contextSize: 128, threads: 1 });
    const embed = async (text: string): Promise<readonly number[]> => (await context.getEmbeddingFor(text)).vector;
    const water = await embed("the world of water");
    expect(water).toHaveLength(64);
    expect(similarity(water, await embed("the world of oil"))).toBeGreaterThan(
      similarity(water, await embed("why did you ask me")) + 0.1,
    );
    expect(similarity(water, await embed("the world of water"))).toBeCloseTo(1, 5);
    await model.dispose();
  });

  test("with rank pooling gives documents different scores from 0 to 1", async () => {
    const path = await makeTinyBert(join(folder, "rank.gguf"), { pooling: "rank" });
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    const context = await model.createRankingContext({ contextSize: 128, threads: 1 });
    const scores = await context.rankAll("the water", ["the water is here", "ask me", "new land for men"]);
    expect(new Set(scores).size).toBe(3);
    for (const score of scores) expect(score > 0 && score < 1).toBe(true);
    await model.dispose();
  });
});

function similarity(left: readonly number[], right: readonly number[]): number {
  const dot = left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);
  return dot / Math.hypot(...left) / Math.hypot(...right);
}
