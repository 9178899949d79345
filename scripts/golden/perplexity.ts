/**
 * Perplexity of GGUF files by llama.cpp and by flint, a line of JSON each:
 * `node scripts/golden/perplexity.ts MODEL.gguf … [--engine flint] [--text FILE] [--context 512] [--windows 8] [--threads 2]
 * [--cache F16]`. flint is faster with the flags of `src/engines/flint/flags.ts`.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import type { ControlledEvaluateInputItem, LlamaContextSequence, Token } from "node-llama-cpp";
import { measurePerplexity, perplexityText, splitWindows } from "../../src/engines/flint/__fixtures__/perplexity.ts";
import type { Perplexity, ScoreWindow } from "../../src/engines/flint/__fixtures__/perplexity.ts";
import { createLocalFlint } from "../../src/engines/flint/local.ts";
import { createGgufTokenizer } from "../../src/engines/flint/tokenizer/gguf.ts";
import { readGguf } from "../../src/formats/gguf/read.ts";
import { inspectGguf } from "../../src/models/inspect.ts";
import { openContext, startLlama } from "./llama.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: "string", multiple: true, default: ["llama", "flint"] },
    text: { type: "string" },
    context: { type: "string", default: "512" },
    windows: { type: "string", default: "100000" },
    threads: { type: "string", default: "2" },
    cache: { type: "string", default: "F16" },
  },
});
if (positionals.length === 0) throw new Error("Name a GGUF file.");
const size = Number(flags.context);
const text = flags.text === undefined ? perplexityText() : readFileSync(flags.text, "utf8");

const engines: Readonly<Record<string, (modelPath: string) => Promise<Perplexity>>> = {
  llama: byLlama,
  flint: byFlint,
};
for (const modelPath of positionals) {
  for (const engine of flags.engine) {
    const start = performance.now();
    const result = await engines[engine]?.(modelPath);
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    console.log(JSON.stringify({ model: basename(modelPath), engine, ...result, seconds }));
  }
}

async function byLlama(modelPath: string): Promise<Perplexity> {
  const llama = await startLlama();
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  const cache = flags.cache === "F32" ? "F32" : "F16";
  const context = await openContext(model, { contextTokens: size, cache, threads: Number(flags.threads) });
  const beginning = model.tokens.shouldPrependBosToken ? (model.tokens.bos ?? undefined) : undefined;
  const result = await measurePerplexity(cut(model.tokenize(text), beginning), scorer(context.getSequence()));
  await llama.dispose();
  return result;
}

async function byFlint(path: string): Promise<Perplexity> {
  const { metadata } = await readGguf(path);
  const tokenizer = createGgufTokenizer(metadata);
  const { addBos, bos } = tokenizer;
  const options = { contextTokens: size, parallel: 1, threads: Number(flags.threads) };
  const model = await createLocalFlint().load({ name: basename(path), path, info: await inspectGguf(path) }, options);
  const windows = cut(tokenizer.encode(text, { special: false, start: true }), addBos ? bos : undefined);
  const result = await measurePerplexity(windows, async (prompt, first) => {
    const scored = await model.score?.({ prompt, topLogprobs: 0, from: first + 1 });
    return scored?.entries.map(({ logprob }) => logprob) ?? [];
  });
  await model.dispose();
  return result;
}

function cut(tokens: readonly number[], beginning: number | undefined): number[][] {
  return splitWindows(tokens, { size, beginning }).slice(0, Number(flags.windows));
}

/**
 * Asks for the logit of the token that comes next, the highest one, and the sum of exp(logit - highest). The highest is
 * that of the token chosen at temperature 0: node-llama-cpp 3.22.1 leaves out what `includeMax` asks for.
 */
function scorer(sequence: LlamaContextSequence): ScoreWindow {
  return async (window, first) => {
    await sequence.clearHistory();
    // What follows the last token is in no window.
    const input: ControlledEvaluateInputItem[] = window.slice(0, -1).map((token, index) => {
      const next = window[index + 1] as Token;
      const logits = { filter: { tokens: [next], includeSelected: true } };
      const options = { options: { temperature: 0 }, totalLogitWeight: true, logits };
      return index < first ? (token as Token) : [token as Token, { generateNext: options }];
    });
    const outputs = await sequence.controlledEvaluate(input);
    return window.slice(first + 1).map((token, index) => {
      const { logits, totalLogitWeight = Number.NaN } = outputs[first + index]?.next ?? {};
      const highest = Math.max(...(logits?.values() ?? [Number.NaN]));
      return (logits?.get(token as Token) ?? Number.NaN) - highest - Math.log(totalLogitWeight);
    });
  };
}
