/**
 * Greedy tokens of flint beside those of llama.cpp, a line of JSON for each GGUF file:
 * `node scripts/golden/greedy.ts MODEL.gguf … [--prompts 200] [--in 20] [--out 12] [--gap 0.3] [--threads 2]`
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import type { ControlledEvaluateInputItem, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { perplexityText } from "../../src/engines/flint/__fixtures__/perplexity.ts";
import { createLocalFlint } from "../../src/engines/flint/local.ts";
import { createRandom } from "../../src/engines/flint/sampling/random.ts";
import { inspectGguf } from "../../src/models/inspect.ts";
import type { LoadedModel } from "../../src/spec/engine.ts";
import { openContext, startLlama } from "./llama.ts";

/** Continues a prompt by this many tokens, always the likeliest. */
export type Continue = (prompt: readonly number[], count: number) => Promise<readonly number[]> | readonly number[];

/** Tokens that were chosen, the same prefix before each: a difference does not lead to others. */
export interface Agreement {
  readonly prompts: number;
  readonly tokens: number;
  /** Tokens where llama.cpp's best logit is clear of the second by the gap. */
  readonly clear: number;
  /** Of those: where flint chose another one. */
  readonly clearDifferences: number;
  /** Prompts without such a token. */
  readonly equalPrompts: number;
  /** Of the others: where flint chose another one. */
  readonly closeDifferences: number;
  /** The largest gap at which flint chose another one. */
  readonly largestGap: number;
}

export interface AgreementOptions {
  readonly model: LlamaModel;
  readonly ours: Continue;
  readonly prompts: readonly (readonly number[])[];
  readonly count: number;
  /** Logits. */
  readonly gap: number;
  readonly contextTokens: number;
  readonly threads?: number;
}

export async function compareGreedy(options: AgreementOptions): Promise<Agreement> {
  const { model, ours, prompts, count, gap, contextTokens, threads = 1 } = options;
  const context = await openContext(model, { contextTokens, cache: "F16", threads });
  const sequence = context.getSequence();
  const result = {
    prompts: prompts.length,
    tokens: 0,
    clear: 0,
    clearDifferences: 0,
    equalPrompts: 0,
    closeDifferences: 0,
  };
  let largestGap = 0;
  for (const prompt of prompts) {
    const chosen = await ours(prompt, count);
    const wanted = await judge(sequence, prompt, chosen);
    const before = result.clearDifferences;
    chosen.forEach((token, index) => {
      const { best = -1, lead = Infinity } = wanted[index] ?? {};
      const clear = lead >= gap;
      result.tokens++;
      if (clear) result.clear++;
      if (token === best) return;
      largestGap = Math.max(largestGap, lead);
      if (clear) result.clearDifferences++;
      else result.closeDifferences++;
    });
    if (result.clearDifferences === before) result.equalPrompts++;
  }
  await context.dispose();
  return { ...result, largestGap };
}

interface Verdict {
  readonly best: number;
  /** From the best logit to the second. */
  readonly lead: number;
}

/** What llama.cpp would choose in the place of each chosen token. */
async function judge(
  sequence: LlamaContextSequence,
  prompt: readonly number[],
  chosen: readonly number[],
): Promise<Verdict[]> {
  await sequence.clearHistory();
  const first = prompt.length - 1;
  const logits = { filter: { tokens: [], includeTop: 2 } };
  const input = [...prompt, ...chosen.slice(0, -1)].map((token, index): ControlledEvaluateInputItem =>
    index < first ? (token as Token) : [token as Token, { generateNext: { options: { temperature: 0 }, logits } }],
  );
  const outputs = await sequence.controlledEvaluate(input);
  return chosen.map((_, index) => {
    const top = [...(outputs[first + index]?.next.logits ?? [])].sort((a, b) => b[1] - a[1]);
    const [[best, high] = [-1, NaN], [, second] = [-1, NaN]] = top;
    return { best, lead: high - second };
  });
}

/** Pieces of English and code, cut at random; with the token that begins a text, where there is one. */
export function cutPrompts(text: readonly number[], options: PromptOptions): number[][] {
  const { count, length, beginning, seed = 1 } = options;
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const start = Math.floor(random.next() * (text.length - length));
    const piece = text.slice(start, start + length);
    return beginning === undefined ? piece : [beginning, ...piece.slice(1)];
  });
}

export interface PromptOptions {
  readonly count: number;
  readonly length: number;
  readonly beginning: number | undefined;
  readonly seed?: number;
}

/** As a whole engine does it, with its threads. */
export function continueWith(model: LoadedModel): Continue {
  return async (prompt, count) => {
    const tokens: number[] = [];
    const request = { prompt, sampling: { temperature: 0 }, maxTokens: count, ignoreEos: true };
    for await (const event of model.generate?.(request) ?? []) {
      if (event.type === "token-delta") tokens.push(...event.tokens);
    }
    return tokens;
  };
}

if (process.argv[1] === import.meta.filename) await main();

async function main(): Promise<void> {
  const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      prompts: { type: "string", default: "200" },
      in: { type: "string", default: "20" },
      out: { type: "string", default: "12" },
      gap: { type: "string", default: "0.3" },
      threads: { type: "string", default: "2" },
    },
  });
  const threads = Number(flags.threads);
  const contextTokens = 256;
  for (const path of positionals) {
    const llama = await startLlama();
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    const flint = await createLocalFlint().load(
      { name: basename(path), path, info: await inspectGguf(path) },
      { contextTokens, parallel: 1, threads },
    );
    const beginning = model.tokens.shouldPrependBosToken ? (model.tokens.bos ?? undefined) : undefined;
    const text = model.tokenize(perplexityText());
    const prompts = cutPrompts(text, { count: Number(flags.prompts), length: Number(flags.in), beginning });
    const gap = Number(flags.gap);
    const count = Number(flags.out);
    const result = await compareGreedy({
      model,
      ours: continueWith(flint),
      prompts,
      count,
      gap,
      contextTokens,
      threads,
    });
    console.log(JSON.stringify({ model: basename(path), gap, ...result }));
    await flint.dispose();
    await llama.dispose();
  }
}
