/** llama.cpp through node-llama-cpp, exact where it can be: F32 cache, no flash attention, on the CPU. */
import type { Llama, LlamaContext, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { openSampler } from "../../src/engines/llama/internals.ts";

export async function startLlama(): Promise<Llama> {
  return await getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
  });
}

export interface Session {
  /** Reads the tokens after those read before. Returns the logits that follow the last one. */
  read(tokens: readonly number[]): Promise<Float32Array>;
  clear(): Promise<void>;
  dispose(): Promise<void>;
}

export interface SessionOptions {
  readonly contextTokens: number;
  /** Type of the KV cache. llama.cpp takes F16 unless told. Default F32. */
  readonly cache?: "F32" | "F16";
  readonly threads?: number;
}

export async function openContext(model: LlamaModel, options: SessionOptions): Promise<LlamaContext> {
  const { contextTokens, cache = "F32", threads = 1 } = options;
  return await model.createContext({
    contextSize: contextTokens,
    batchSize: contextTokens,
    threads,
    flashAttention: false,
    experimentalKvCacheKeyType: cache,
    experimentalKvCacheValueType: cache,
  });
}

export async function openSession(model: LlamaModel, options: SessionOptions): Promise<Session> {
  const context = await openContext(model, options);
  const sequence = context.getSequence();
  return {
    read: createReader(model, sequence),
    clear: () => sequence.clearHistory(),
    dispose: () => context.dispose(),
  };
}

function createReader(model: LlamaModel, sequence: LlamaContextSequence): Session["read"] {
  const size = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
  const sampler = openSampler({ sequence, model, options: { temperature: 0 }, watch: undefined });
  if (!sampler) throw new Error("This version of node-llama-cpp hides its logits elsewhere.");
  return async (tokens) => {
    const [{ logits } = {}] = await sampler.next({ tokens: tokens as readonly Token[], top: size });
    if (!logits) throw new Error("node-llama-cpp gave no logits.");
    const values = new Float32Array(size).fill(Number.NaN);
    for (let index = 0; index < logits.pairs.length; index += 2) {
      values[logits.pairs[index] ?? 0] = logits.pairs[index + 1] ?? 0;
    }
    return values;
  };
}
