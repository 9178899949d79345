/** Compares the golden models with llama.cpp: `node scripts/golden/verify.ts [NAME ...]`. Fails above its tolerance. */
import type { Llama, LlamaModel, Token } from "node-llama-cpp";
import { listFixtures, withFixtureFile } from "../../src/engines/flint/__fixtures__/fixtures.ts";
import type {
  EncoderFixture,
  EncoderGolden,
  Fixture,
  GenerateFixture,
  GenerateGolden,
} from "../../src/engines/flint/__fixtures__/fixtures.ts";
import { openSession, startLlama } from "./llama.ts";

/** llama.cpp reads GELU from a table of half floats, and takes the tanh form where bert means the error function. */
const geluTolerance = 0.05;
const tolerance = 1e-3;

interface Difference {
  readonly text: string;
  readonly largest: number;
}

const llama = await startLlama();
const names = process.argv.slice(2);
let failures = 0;
for (const fixture of listFixtures()) {
  if (names.length > 0 && !names.includes(fixture.name)) continue;
  const differences = await withFixtureFile(fixture, (path) => compare(llama, path, fixture));
  const limit = /gemma|bert/.test(fixture.architecture) && fixture.name !== "nomic-bert" ? geluTolerance : tolerance;
  const ok = differences.every(({ largest }) => largest <= limit);
  if (!ok) failures++;
  console.log(`${ok ? "ok    " : "FAILED"} ${fixture.name}: ${differences.map(({ text }) => text).join("; ")}`);
}
await llama.dispose();
process.exitCode = failures === 0 ? 0 : 1;

async function compare(llama: Llama, modelPath: string, fixture: Fixture): Promise<Difference[]> {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, defaultContextFlashAttention: false });
  try {
    return fixture.kind === "generate" ? await compareLogits(model, fixture) : await compareEncoder(model, fixture);
  } finally {
    await model.dispose();
  }
}

async function compareLogits(model: LlamaModel, fixture: GenerateFixture): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const golden of fixture.prompts) differences.push(await compareText(model, golden));
  return differences;
}

/** All tokens up to the first row at once, then one at a time, then the greedy continuation. */
async function compareText(model: LlamaModel, golden: GenerateGolden): Promise<Difference> {
  const session = await openSession(model, { contextTokens: golden.contextTokens });
  let largest = 0;
  let next = golden.tokens.slice(0, golden.firstLogits + 1);
  let last = new Float32Array();
  for (const [index, wanted] of golden.logits.entries()) {
    last = new Float32Array(await session.read(next));
    largest = Math.max(largest, distance(last, wanted));
    next = golden.tokens.slice(golden.firstLogits + 1 + index, golden.firstLogits + 2 + index);
  }
  const greedy: number[] = [];
  for (const _ of golden.greedy) {
    greedy.push(last.indexOf(Math.max(...last)));
    last = new Float32Array(await session.read(greedy.slice(-1)));
  }
  await session.clear();
  const whole = distance(await session.read(golden.tokens), golden.logits.at(-1) ?? []);
  await session.dispose();
  const same = greedy.join() === golden.greedy.join();
  largest = Math.max(largest, whole, same ? 0 : Infinity);
  return { text: `${golden.name} ${largest.toExponential(1)}${same ? "" : ` but ${greedy.join()}`}`, largest };
}

async function compareEncoder(model: LlamaModel, fixture: EncoderFixture): Promise<Difference[]> {
  const options = { contextSize: 64, batchSize: 64, threads: 1 };
  if (fixture.kind === "rank") {
    const context = await model.createRankingContext(options);
    return await each(fixture.prompts, async ({ tokens, score = 0 }) => {
      const end = tokens.indexOf(tokens.at(-1) ?? 0);
      const part = (from: number, to: number): Token[] => tokens.slice(from, to) as Token[];
      const probability = await context.rank(part(1, end), part(end + 2, tokens.length - 1));
      return Math.abs(Math.log(probability / (1 - probability)) - score);
    });
  }
  const context = await model.createEmbeddingContext(options);
  return await each(fixture.prompts, async ({ tokens, embedding = new Float32Array() }) => {
    const { vector } = await context.getEmbeddingFor(tokens as Token[]);
    return distance(unit(vector), unit([...embedding]));
  });
}

async function each(
  prompts: readonly EncoderGolden[],
  measure: (golden: EncoderGolden) => Promise<number>,
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const golden of prompts) {
    const largest = await measure(golden);
    differences.push({ text: `${golden.name} ${largest.toExponential(1)}`, largest });
  }
  return differences;
}

function unit(values: readonly number[]): number[] {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** NaN, where a value is missing, counts as infinitely far. */
function distance(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let largest = left.length === right.length ? 0 : Infinity;
  for (let index = 0; index < left.length; index++) {
    const difference = Math.abs((left[index] ?? 0) - (right[index] ?? 0));
    largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
  }
  return largest;
}
