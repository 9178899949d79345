import { failKey, integerOf, integersOf } from "./check.ts";
import { malformed } from "./malformed.ts";
import type { GgufFile, GgufTensor } from "./types.ts";

/** Names after `family` and its variants, one word each. */
function names(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/));
}

/** Architectures with plain attention: llama.cpp v0.5.0 aborts where their keys and values differ in length. */
const plain: ReadonlySet<string> = names(
  "afmoe apertus arcee arctic baichuan bailingmoe2 bert bitnet bloom chameleon chatglm codeshell cogvlm cohere2 " +
    "cohere2moe command-r dbrx deci deepseek dots1 dream ernie4_5 ernie4_5-moe eurobert exaone exaone4 falcon glm4 " +
    "glm4moe gpt2 gptneox granite granitehybrid granitemoe grok grovemoe hunyuan-moe hy_v3 internlm2 jais jais2 laguna " +
    "llada llada-moe llama llama4 maincoder mellum minimax-m2 mistral3 modern-bert mpt nemotron neo-bert olmo olmo2 " +
    "olmoe openelm orion pangu-embedded phi2 phi3 plamo qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 qwen35moe qwen3moe " +
    "qwen3next qwen3vl qwen3vlmoe refact rnd1 seed_oss smallthinker smollm3 stablelm starcoder starcoder2 xverse",
);

/** Those of them that turn whole heads: it aborts where the rotated part has another length. */
const wholeRope: ReadonlySet<string> = names(
  "apertus arcee arctic baichuan chameleon codeshell cogvlm cohere2moe dbrx deci deepseek dots1 dream ernie4_5 " +
    "ernie4_5-moe exaone falcon granite granitemoe grok grovemoe hunyuan-moe hy_v3 internlm2 jais2 llada llada-moe llama " +
    "llama4 maincoder mellum mistral3 nemotron olmo olmo2 olmoe orion pangu-embedded plamo qwen2 qwen2moe qwen2vl qwen3 " +
    "qwen3moe qwen3vl qwen3vlmoe rnd1 seed_oss smallthinker smollm3 starcoder2 xverse",
);

const any = [0, 2 ** 31] as const;

/**
 * Compares the head sizes of the metadata with the shapes of the attention matrices. llama.cpp plans its memory from
 * the metadata alone, before it looks at the tensors.
 */
export function checkAttention(gguf: GgufFile, architecture: string, tensors: readonly GgufTensor[]): void {
  const key = (name: string): string => `${architecture}.${name}`;
  const heads = integersOf(gguf, key("attention.head_count"), any) ?? 0;
  const keyValueHeads = integersOf(gguf, key("attention.head_count_kv"), any) ?? heads;
  const length = plain.has(architecture) ? headSize(gguf, architecture, at(heads, 0)) : undefined;
  const mixed = layersWith(tensors, /^blk\.(\d+)\.ssm_/);
  for (const tensor of tensors) {
    const match = /^blk\.(\d+)\.attn_(q|k|v|qkv)\.weight$/.exec(tensor.name);
    const layer = Number(match?.[1]);
    if (!match || mixed.has(layer)) continue;
    const part = match[2] ?? "";
    const count = headsOf(part, { heads: at(heads, layer), keyValueHeads: at(keyValueHeads, layer) });
    if (count === 0) failRows(gguf, tensor, 0);
    if (length === undefined) continue;
    const rows = tensor.shape[1] ?? 1;
    // Some architectures keep a gate in the same matrix as the queries.
    const gated = part === "q" && rows === count * length * 2;
    if (rows !== count * length && !gated) failRows(gguf, tensor, count * length);
  }
}

/** Length of the keys and of the values of a plain architecture. */
function headSize(gguf: GgufFile, architecture: string, heads: number): number {
  const key = (name: string): string => `${architecture}.${name}`;
  const byDefault = Math.floor((integerOf(gguf, key("embedding_length"), any) ?? 0) / Math.max(1, heads));
  const length = integerOf(gguf, key("attention.key_length"), any) ?? byDefault;
  const valueLength = integerOf(gguf, key("attention.value_length"), any) ?? byDefault;
  if (length !== valueLength) {
    const problem = `is ${length}, but the value length is ${valueLength}; both must be equal`;
    failKey(gguf, key("attention.key_length"), problem);
  }
  const rope = integerOf(gguf, key("rope.dimension_count"), any);
  if (rope !== undefined && rope !== length && wholeRope.has(architecture)) {
    failKey(gguf, key("rope.dimension_count"), `is ${rope}; it must be the head size of ${length}`);
  }
  return length;
}

interface HeadCounts {
  readonly heads: number;
  readonly keyValueHeads: number;
}

/** Heads whose vectors a matrix gives. */
function headsOf(part: string, { heads, keyValueHeads }: HeadCounts): number {
  if (part === "q") return heads;
  return part === "qkv" ? heads + 2 * keyValueHeads : keyValueHeads;
}

function failRows(gguf: GgufFile, tensor: GgufTensor, expected: number): never {
  const shape = tensor.shape.join(" × ");
  throw malformed(
    { name: gguf.name, field: tensor.name, offset: gguf.dataOffset + tensor.offset },
    `has the shape ${shape}; by the head counts and sizes it must have ${expected} rows`,
  );
}

function layersWith(tensors: readonly GgufTensor[], pattern: RegExp): ReadonlySet<number> {
  const layers = new Set<number>();
  for (const { name } of tensors) {
    const match = pattern.exec(name);
    if (match) layers.add(Number(match[1]));
  }
  return layers;
}

/** A value for all layers, or one for each. */
export function at(value: number | readonly number[], layer: number): number {
  return typeof value === "number" ? value : (value[layer] ?? 0);
}
