/**
 * Writes models for `hearth bench`: the shape of a Llama of 1.1 B parameters with seeded random weights, so that anybody
 * can measure the same bytes without a download. `node scripts/bench-models.ts 1b-q4_k_m [--out FILE]`
 */
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import type { GgufContent, GgufTensorContent, GgufTypedValue } from "../src/formats/gguf/encode.ts";
import { writeGguf } from "../src/formats/gguf/write.ts";
import { tinyLlama } from "../test/make-model.ts";
import type { BlockType } from "./random-blocks.ts";
import { randomBlocks } from "./random-blocks.ts";

export interface BenchShape {
  readonly layers: number;
  readonly embedding: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly vocabulary: number;
}

const billion: BenchShape = {
  layers: 16,
  embedding: 2048,
  feedForward: 8192,
  heads: 32,
  keyHeads: 8,
  vocabulary: 32_000,
};

export const mixes = ["q4_0", "q4_k_m", "q8_0"] as const;
export type Mix = (typeof mixes)[number];

/** `general.file_type` */
const fileTypes: Readonly<Record<Mix, number>> = { q4_0: 2, q8_0: 7, q4_k_m: 15 };

/** A llama with an own output matrix, in the types that llama.cpp's quantizer would choose. */
export function benchModel(shape: BenchShape, mix: Mix): GgufContent {
  const { layers, embedding, feedForward, heads, keyHeads, vocabulary } = shape;
  const keyWidth = (embedding / heads) * keyHeads;
  let seed = 1;
  const matrix = (name: string, k: number, n: number, type: BlockType): GgufTensorContent => {
    const tensor = { type, shape: [k, n], deviation: 1 / Math.sqrt(k), seed: seed++ };
    return { name, type, shape: [k, n], data: () => randomBlocks(tensor) };
  };
  const base: BlockType = { q4_0: "Q4_0", q4_k_m: "Q4_K", q8_0: "Q8_0" }[mix] as BlockType;
  const head = mix === "q8_0" ? base : "Q6_K";
  const tensors = [
    matrix("token_embd.weight", embedding, vocabulary, base),
    ones("output_norm.weight", embedding),
    matrix("output.weight", embedding, vocabulary, head),
  ];
  for (let layer = 0; layer < layers; layer++) {
    const more = mix === "q4_k_m" && getsMoreBits(layer, layers) ? "Q6_K" : base;
    const name = (part: string): string => `blk.${layer}.${part}.weight`;
    tensors.push(
      ones(name("attn_norm"), embedding),
      matrix(name("attn_q"), embedding, embedding, base),
      matrix(name("attn_k"), embedding, keyWidth, base),
      matrix(name("attn_v"), embedding, keyWidth, more),
      matrix(name("attn_output"), embedding, embedding, base),
      ones(name("ffn_norm"), embedding),
      matrix(name("ffn_gate"), embedding, feedForward, base),
      matrix(name("ffn_up"), embedding, feedForward, base),
      matrix(name("ffn_down"), feedForward, embedding, more),
    );
  }
  return { metadata: metadata(shape, mix), tensors };
}

/** Layers whose values and down matrices are Q6_K in Q4_K_M: the first and the last eighth, and every third in between. */
function getsMoreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= layers - eighth || (layer - eighth) % 3 === 2;
}

function ones(name: string, length: number): GgufTensorContent {
  return { name, type: "F32", shape: [length], data: new Uint8Array(new Float32Array(length).fill(1).buffer) };
}

/** The header of the tests' tiny llama with other figures: its vocabulary takes any text. */
function metadata(shape: BenchShape, mix: Mix): GgufContent["metadata"] {
  const figures = {
    "general.file_type": fileTypes[mix],
    "llama.context_length": 8192,
    "llama.embedding_length": shape.embedding,
    "llama.block_count": shape.layers,
    "llama.feed_forward_length": shape.feedForward,
    "llama.attention.head_count": shape.heads,
    "llama.attention.head_count_kv": shape.keyHeads,
    "llama.rope.dimension_count": shape.embedding / shape.heads,
  };
  const changes = Object.entries(figures).map(([key, value]): [string, GgufTypedValue] => [
    key,
    { type: "uint32", value },
  ]);
  const name: GgufTypedValue = { type: "string", value: `random ${mix}` };
  return tinyLlama({
    layers: 0,
    vocabulary: shape.vocabulary,
    metadata: { ...Object.fromEntries(changes), "general.name": name },
  }).metadata;
}

function defaultPath(name: string): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? homedir(), ".cache");
  return join(cache, "hearth", "bench", `${name}.gguf`);
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { out: { type: "string" } }, allowPositionals: true });
  const [name = ""] = positionals;
  const mix = mixes.find((one) => name === `1b-${one}`);
  if (mix) {
    const path = values.out ?? defaultPath(name);
    mkdirSync(dirname(path), { recursive: true });
    await writeGguf(path, benchModel(billion, mix));
    console.log(path);
  } else {
    console.error(`Name a model: ${mixes.map((one) => `1b-${one}`).join(", ")}.`);
    process.exitCode = 2;
  }
}
