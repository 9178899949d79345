/**
 * Perplexity of GGUF files by llama.cpp, a line of JSON each:
 * `node scripts/golden/perplexity.ts MODEL.gguf … [--text FILE] [--context 512] [--windows 8] [--threads 2] [--cache F16]`
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import type { ControlledEvaluateInputItem, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { measurePerplexity, perplexityText, splitWindows } from "../../src/engines/flint/__fixtures__/perplexity.ts";
import type { Perplexity, ScoreWindow } from "../../src/engines/flint/__fixtures__/perplexity.ts";
import { openContext, startLlama } from "./llama.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
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

const llama = await startLlama();
for (const modelPath of positionals) {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  const start = performance.now();
  const result = await measure(model);
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  console.log(JSON.stringify({ model: basename(modelPath), ...result, seconds }));
  await model.dispose();
}
await llama.dispose();

async function measure(model: LlamaModel): Promise<Perplexity> {
  const cache = flags.cache === "F32" ? "F32" : "F16";
  const context = await openContext(model, { contextTokens: size, cache, threads: Number(flags.threads) });
  const beginning = model.tokens.shouldPrependBosToken ? (model.tokens.bos ?? undefined) : undefined;
  const windows = splitWindows(model.tokenize(text), { size, beginning }).slice(0, Number(flags.windows));
  const result = await measurePerplexity(windows, scorer(context.getSequence()));
  await context.dispose();
  return result;
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
