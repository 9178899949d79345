/** What the golden models leave out: the same file through llama.cpp and through the reference graph. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Llama, LlamaModel } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSession, startLlama } from "../../../../scripts/golden/llama.ts";
import type { GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { validateForEngine } from "../../../formats/gguf/validate.ts";
import { openModel, openReference } from "../__fixtures__/open.ts";
import type { OpenModel } from "../__fixtures__/open.ts";
import { makeVariant } from "../__fixtures__/variant.ts";
import type { Variant } from "../__fixtures__/variant.ts";

const integer = (value: number): GgufTypedValue => ({ type: "uint32", value });
const float = (value: number): GgufTypedValue => ({ type: "float32", value });
const text = (value: string): GgufTypedValue => ({ type: "string", value });
const yarn = {
  "rope.scaling.type": text("yarn"),
  "rope.scaling.factor": float(4),
  "rope.scaling.original_context_length": integer(128),
};
const experts = { expert_count: integer(4), expert_used_count: integer(2), feed_forward_length: integer(32) };
const granite = { logit_scale: float(2), residual_scale: float(0.5), embedding_scale: float(3) };
const factors = { long: [1, 1.5, 2, 3, 4, 6, 8, 12], short: [1, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6] };
const longrope = { "rope_factors_long.weight": factors.long, "rope_factors_short.weight": factors.short };

const variants: [string, Variant][] = [
  ["llama with biases", { architecture: "llama", optional: /attn.*bias|ffn.*bias/ }],
  ["llama with one matrix for queries, keys and values", { architecture: "llama", optional: /attn_qkv/ }],
  [
    "llama with an attention factor and a linear scale",
    { architecture: "llama", keys: { "rope.scaling.attn_factor": float(1.2), "rope.scale_linear": float(2) } },
  ],
  [
    "llama with LongRoPE",
    {
      architecture: "llama",
      keys: { "rope.scaling.type": text("longrope"), "rope.scaling.original_context_length": integer(256) },
      vectors: longrope,
    },
  ],
  ["internlm2", { architecture: "internlm2", optional: /^output/ }],
  ["xverse", { architecture: "xverse", optional: /^output/ }],
  ["ernie4_5", { architecture: "ernie4_5" }],
  ["exaone with factors", { architecture: "exaone", vectors: { "rope_freqs.weight": factors.long } }],
  ["gemma", { architecture: "gemma", keys: wideHeads() }],
  ["qwen2 with YaRN", { architecture: "qwen2", keys: yarn }],
  [
    "qwen2moe with the width of all experts used",
    { architecture: "qwen2moe", keys: { ...experts, feed_forward_length: integer(64) } },
  ],
  ["qwen3moe with YaRN", { architecture: "qwen3moe", keys: { ...experts, ...yarn }, optional: /^output/ }],
  ["gemma2 with its own window", { architecture: "gemma2" }],
  ["gemma2 of 46 layers", { architecture: "gemma2", keys: { block_count: integer(46), ...wideHeads() } }],
  ["gemma3 without a window", { architecture: "gemma3", keys: wideHeads() }],
  ["gemma3 of 62 layers", { architecture: "gemma3", keys: { block_count: integer(62), ...wideHeads() } }],
  [
    "phi3 with a window",
    { architecture: "phi3", keys: { "attention.sliding_window": integer(4) }, optional: /attn_qkv/ },
  ],
  [
    "granite without positions",
    {
      architecture: "granite",
      keys: { ...granite, "rope.scaling.finetuned": { type: "bool", value: false } },
      optional: /bias/,
    },
  ],
  [
    "granitemoe with a shared expert",
    { architecture: "granitemoe", keys: { ...granite, ...experts, expert_shared_feed_forward_length: integer(48) } },
  ],
  [
    "olmo2 with windows and YaRN, which is OLMo 3",
    { architecture: "olmo2", keys: { ...yarn, block_count: integer(5), "attention.sliding_window": integer(6) } },
  ],
  ["stablelm without biases", { architecture: "stablelm", keys: layerNorm(8), optional: /ffn_norm/ }],
  ["smollm3 of six layers", { architecture: "smollm3", keys: { block_count: integer(6) }, optional: /^output/ }],
];

/** Heads wider than the embedding allows. */
function wideHeads(): Variant["keys"] & object {
  return {
    "attention.key_length": integer(32),
    "attention.value_length": integer(32),
    "rope.dimension_count": integer(32),
  };
}

function layerNorm(dimensions: number): Variant["keys"] & object {
  return {
    "attention.layer_norm_epsilon": float(1e-5),
    "attention.layer_norm_rms_epsilon": undefined,
    "rope.dimension_count": integer(dimensions),
  };
}

const tokens = [1, 300, 41, 260, 77, 301, 302, 299, 45, 66, 270, 280, 281, 99, 310, 264, 265, 290, 400, 401];

describe("a variant has the logits of llama.cpp", () => {
  let llama: Llama;
  let folder: string;
  beforeAll(async () => {
    llama = await startLlama();
    folder = await mkdtemp(join(tmpdir(), "hearth-variants-"));
  });
  afterAll(async () => {
    await llama.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(variants)("%s", async (name, variant) => {
    const bytes = makeVariant(variant);
    const path = join(folder, `${name.replaceAll(/\W/g, "-")}.gguf`);
    await writeFile(path, bytes);
    const model = openModel(bytes, name);
    validateForEngine(model.file);
    const theirs = await llama.loadModel({ modelPath: path, gpuLayers: 0, defaultContextFlashAttention: false });
    try {
      expect(await difference(model, theirs)).toBeLessThan(variant.architecture.startsWith("gemma") ? 2e-3 : 1e-4);
    } finally {
      await theirs.dispose();
    }
  });
});

/** Largest distance of the logits after a few lengths of the text, relative to the largest logit. */
async function difference(model: OpenModel, theirs: LlamaModel): Promise<number> {
  const contextTokens = 512;
  const rows = tokens.map((token, position) => ({ token, sequence: 0, position, output: true }));
  const logits = openReference(model, contextTokens).reference.step(rows);
  const session = await openSession(theirs, { contextTokens });
  let largest = 0;
  for (const [start, end] of [
    [0, 1],
    [1, 9],
    [9, tokens.length],
  ] as const) {
    const wanted = await session.read(tokens.slice(start, end));
    const scale = Math.max(...wanted.map(Math.abs));
    const apart = wanted.map((logit, at) => Math.abs(logit - (logits[end - 1]?.[at] ?? NaN)) / scale);
    largest = Math.max(largest, ...apart);
  }
  await session.dispose();
  return largest;
}
