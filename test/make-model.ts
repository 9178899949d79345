// Writes tiny GGUF models with seeded random weights that llama.cpp really loads and runs.
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { encodeHeader } from "../src/formats/gguf/encode.ts";
import type { GgufContent, GgufTensorContent, GgufTypedValue } from "../src/formats/gguf/encode.ts";
import { writeGguf } from "../src/formats/gguf/write.ts";
import { encodeWeights, randomNormal, weightFileType } from "./make-weights.ts";
import type { Normal, WeightType } from "./make-weights.ts";
import { bertVocabulary, llamaVocabulary } from "./make-vocabulary.ts";
import type { Vocabulary } from "./make-vocabulary.ts";

export type PoolingName = "none" | "mean" | "cls" | "last" | "rank";
const poolingTypes: Readonly<Record<PoolingName, number>> = { none: 0, mean: 1, cls: 2, last: 3, rank: 4 };

export const chatmlTemplate: string = [
  "{% for message in messages %}",
  "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}",
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
].join("");

export interface TinyModelOptions {
  readonly seed?: number;
  readonly layers?: number;
  readonly embedding?: number;
  readonly heads?: number;
  /** Tokens of context in the header. */
  readonly context?: number;
  /** Fills the vocabulary up to so many tokens with made-up words. */
  readonly vocabulary?: number;
  readonly type?: WeightType;
  /** Replaces or, with undefined, removes keys of the metadata. */
  readonly metadata?: Readonly<Record<string, GgufTypedValue | undefined>>;
}

export interface TinyLlamaOptions extends TinyModelOptions {
  readonly kvHeads?: number;
  /** null writes none. Default: ChatML. */
  readonly chatTemplate?: string | null;
  readonly poolingType?: PoolingName;
  readonly architecture?: string;
  /** Added to the logits of `</s>` and `<|im_end|>`: 30 ends at once, the default -8 nearly never. */
  readonly endBias?: number;
  /** So many columns of what enters each matrix are eight times as large as the others, as some are in real models. */
  readonly outliers?: number;
}

export interface TinyBertOptions extends TinyModelOptions {
  /** `rank` adds a classifier with one output, for reranking. Default `mean`. */
  readonly pooling?: Exclude<PoolingName, "last" | "none">;
}

/** A llama of about 200,000 parameters with a SentencePiece vocabulary, byte tokens and ChatML control tokens. */
export async function makeTinyLlama(path: string, options: TinyLlamaOptions = {}): Promise<string> {
  return await write(path, tinyLlama(options));
}

/** A bert with a WordPiece vocabulary: embeddings with `mean` or `cls`, reranking with `rank`. */
export async function makeTinyBert(path: string, options: TinyBertOptions = {}): Promise<string> {
  return await write(path, tinyBert(options));
}

async function write(path: string, content: GgufContent): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeGguf(path, content);
  return path;
}

/** A whole file in memory. */
export function modelBytes(content: GgufContent): Uint8Array<ArrayBuffer> {
  const header = encodeHeader(content);
  const pieces = [header.bytes];
  for (const { data } of content.tensors) {
    if (typeof data === "function") throw new TypeError("modelBytes takes tensors whose data is in memory");
    pieces.push(data, new Uint8Array((header.alignment - (data.length % header.alignment)) % header.alignment));
  }
  return new Uint8Array(Buffer.concat(pieces));
}

export function tinyLlama(options: TinyLlamaOptions = {}): GgufContent {
  const { layers = 2, embedding = 64, heads = 4, kvHeads = 2, context = 512, type = "F32" } = options;
  const architecture = options.architecture ?? "llama";
  const vocabulary = llamaVocabulary(options.vocabulary);
  const feedForward = embedding * 2;
  const template = options.chatTemplate === undefined ? chatmlTemplate : options.chatTemplate;
  const metadata = overlay(
    {
      ...general(architecture, type),
      ...sizes(architecture, { context, embedding, layers, feedForward, heads, kvHeads }),
      [`${architecture}.attention.layer_norm_rms_epsilon`]: { type: "float32", value: 1e-5 },
      [`${architecture}.rope.dimension_count`]: { type: "uint32", value: embedding / heads },
      [`${architecture}.vocab_size`]: { type: "uint32", value: vocabulary.tokens.length },
      ...(options.poolingType && {
        [`${architecture}.pooling_type`]: { type: "uint32", value: poolingTypes[options.poolingType] } as const,
      }),
      ...tokenizer("llama", vocabulary),
      "tokenizer.ggml.bos_token_id": { type: "uint32", value: 1 },
      "tokenizer.ggml.eos_token_id": { type: "uint32", value: 2 },
      "tokenizer.ggml.unknown_token_id": { type: "uint32", value: 0 },
      "tokenizer.ggml.eot_token_id": { type: "uint32", value: vocabulary.tokens.indexOf("<|im_end|>") },
      "tokenizer.ggml.add_bos_token": { type: "bool", value: true },
      "tokenizer.ggml.add_eos_token": { type: "bool", value: false },
      ...(template !== null && { "tokenizer.chat_template": { type: "string", value: template } as const }),
    },
    options.metadata,
  );
  const normal = randomNormal(options.seed ?? 1);
  const make = { normal, type };
  const small = { ...make, scale: 0.6 / Math.sqrt(embedding) };
  const embeddings = tokenEmbeddings(normal, { embedding, vocabulary });
  const head = outputHead(embeddings, { normal, embedding, vocabulary, endBias: options.endBias ?? -8 });
  const shape = [embedding, vocabulary.tokens.length];
  const tensors: GgufTensorContent[] = [
    { name: "token_embd.weight", shape, type, data: encodeWeights(embeddings, type) },
    constant("output_norm.weight", embedding, 1),
    { name: "output.weight", shape, type, data: encodeWeights(head, type) },
  ];
  const keyValue = (embedding / heads) * kvHeads;
  for (let layer = 0; layer < layers; layer++) {
    const name = `blk.${layer}`;
    tensors.push(
      loudNorm(`${name}.attn_norm.weight`, embedding, options.outliers),
      matrix(`${name}.attn_q.weight`, [embedding, embedding], make),
      matrix(`${name}.attn_k.weight`, [embedding, keyValue], make),
      matrix(`${name}.attn_v.weight`, [embedding, keyValue], make),
      matrix(`${name}.attn_output.weight`, [embedding, embedding], small),
      loudNorm(`${name}.ffn_norm.weight`, embedding, options.outliers),
      matrix(`${name}.ffn_gate.weight`, [embedding, feedForward], make),
      matrix(`${name}.ffn_up.weight`, [embedding, feedForward], make),
      matrix(`${name}.ffn_down.weight`, [feedForward, embedding], small),
    );
  }
  return { metadata, tensors };
}

export function tinyBert(options: TinyBertOptions = {}): GgufContent {
  const { layers = 2, embedding = 64, heads = 4, context = 512, type = "F32", pooling = "mean" } = options;
  const vocabulary = bertVocabulary(options.vocabulary);
  const feedForward = embedding * 2;
  const metadata = overlay(
    {
      ...general("bert", type),
      ...sizes("bert", { context, embedding, layers, feedForward, heads, kvHeads: heads }),
      "bert.attention.layer_norm_epsilon": { type: "float32", value: 1e-12 },
      "bert.attention.causal": { type: "bool", value: false },
      "bert.pooling_type": { type: "uint32", value: poolingTypes[pooling] },
      ...tokenizer("bert", vocabulary),
      "tokenizer.ggml.token_type_count": { type: "uint32", value: 2 },
      "tokenizer.ggml.padding_token_id": { type: "uint32", value: 0 },
      "tokenizer.ggml.unknown_token_id": { type: "uint32", value: 1 },
      "tokenizer.ggml.bos_token_id": { type: "uint32", value: 2 },
      "tokenizer.ggml.cls_token_id": { type: "uint32", value: 2 },
      "tokenizer.ggml.eos_token_id": { type: "uint32", value: 3 },
      "tokenizer.ggml.seperator_token_id": { type: "uint32", value: 3 },
      "tokenizer.ggml.mask_token_id": { type: "uint32", value: 4 },
    },
    options.metadata,
  );
  const make = { normal: randomNormal(options.seed ?? 1), type };
  const plain = { normal: make.normal, type: "F32" } as const;
  const tensors: GgufTensorContent[] = [
    matrix("token_embd.weight", [embedding, vocabulary.tokens.length], { ...make, scale: 1 }),
    matrix("token_types.weight", [embedding, 2], { ...plain, scale: 0.1 }),
    matrix("position_embd.weight", [embedding, context], { ...plain, scale: 0.3 }),
    ...norm("token_embd_norm", embedding),
  ];
  if (pooling === "rank") {
    tensors.push(
      matrix("cls.weight", [embedding, embedding], { ...plain, scale: 2 / Math.sqrt(embedding) }),
      constant("cls.bias", embedding, 0),
      matrix("cls.output.weight", [embedding, 1], { ...plain, scale: 0.5 }),
      constant("cls.output.bias", 1, 0),
    );
  }
  for (let layer = 0; layer < layers; layer++) {
    const name = `blk.${layer}`;
    for (const part of ["attn_q", "attn_k", "attn_v", "attn_output"]) {
      tensors.push(matrix(`${name}.${part}.weight`, [embedding, embedding], make));
      tensors.push(constant(`${name}.${part}.bias`, embedding, 0));
    }
    tensors.push(
      ...norm(`${name}.attn_output_norm`, embedding),
      matrix(`${name}.ffn_up.weight`, [embedding, feedForward], make),
      constant(`${name}.ffn_up.bias`, feedForward, 0),
      matrix(`${name}.ffn_down.weight`, [feedForward, embedding], make),
      constant(`${name}.ffn_down.bias`, embedding, 0),
      ...norm(`${name}.layer_output_norm`, embedding),
    );
  }
  return { metadata, tensors };
}

type Metadata = Record<string, GgufTypedValue>;

function general(architecture: string, type: WeightType): Metadata {
  return {
    "general.architecture": { type: "string", value: architecture },
    "general.name": { type: "string", value: `tiny ${architecture}` },
    "general.file_type": { type: "uint32", value: weightFileType[type] },
    "general.quantization_version": { type: "uint32", value: 2 },
  };
}

interface Sizes {
  readonly context: number;
  readonly embedding: number;
  readonly layers: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
}

function sizes(architecture: string, of: Sizes): Metadata {
  const values = {
    context_length: of.context,
    embedding_length: of.embedding,
    block_count: of.layers,
    feed_forward_length: of.feedForward,
    "attention.head_count": of.heads,
    "attention.head_count_kv": of.kvHeads,
  };
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`${architecture}.${key}`, { type: "uint32", value }] as const),
  );
}

function tokenizer(model: string, vocabulary: Vocabulary): Metadata {
  return {
    "tokenizer.ggml.model": { type: "string", value: model },
    "tokenizer.ggml.pre": { type: "string", value: "default" },
    "tokenizer.ggml.tokens": { type: "array", of: "string", value: vocabulary.tokens },
    "tokenizer.ggml.scores": { type: "array", of: "float32", value: vocabulary.scores },
    "tokenizer.ggml.token_type": { type: "array", of: "int32", value: vocabulary.types },
  };
}

function overlay(metadata: Metadata, changes: TinyModelOptions["metadata"] = {}): Metadata {
  const result = { ...metadata };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete result[key];
    else result[key] = value;
  }
  return result;
}

interface MatrixOptions {
  readonly normal: Normal;
  readonly type: WeightType;
  /** Standard deviation. Default: keeps the size of its input. */
  readonly scale?: number;
}

function matrix(name: string, shape: readonly [number, number], options: MatrixOptions): GgufTensorContent {
  const scale = options.scale ?? 1 / Math.sqrt(shape[0]);
  const values = new Float32Array(shape[0] * shape[1]);
  for (let index = 0; index < values.length; index++) values[index] = options.normal() * scale;
  return { name, shape, type: options.type, data: encodeWeights(values, options.type) };
}

function loudNorm(name: string, size: number, outliers = 0): GgufTensorContent {
  const values = Float32Array.from({ length: size }, (_, index) => ((index * 37) % size < outliers ? 8 : 1));
  return { name, shape: [size], type: "F32", data: encodeWeights(values, "F32") };
}

function constant(name: string, length: number, value: number): GgufTensorContent {
  const values = new Float32Array(length).fill(value);
  return { name, shape: [length], type: "F32", data: encodeWeights(values, "F32") };
}

function norm(name: string, length: number): GgufTensorContent[] {
  return [constant(`${name}.weight`, length, 1), constant(`${name}.bias`, length, 0)];
}

interface TokenOptions {
  readonly embedding: number;
  readonly vocabulary: Vocabulary;
}

/** The first component is the same large value for all tokens, so that the head below can use it as a bias. */
function tokenEmbeddings(normal: Normal, { embedding, vocabulary }: TokenOptions): Float32Array {
  const values = new Float32Array(embedding * vocabulary.tokens.length);
  for (let index = 0; index < values.length; index++) values[index] = index % embedding === 0 ? 4 : normal();
  return values;
}

interface HeadOptions extends TokenOptions {
  readonly normal: Normal;
  readonly endBias: number;
}

/**
 * Each token that belongs in an answer follows one other best, in one long cycle, so that greedy answers do not
 * repeat themselves; the rest is noise, which the context shifts. Bytes and control tokens are made unlikely.
 */
function outputHead(embeddings: Float32Array, options: HeadOptions): Float32Array {
  const { normal, embedding, vocabulary, endBias } = options;
  const values = new Float32Array(embeddings.length);
  const before = cycle(vocabulary, normal);
  const firstComponent = 4 / Math.sqrt((16 + embedding) / embedding);
  const biases = { text: 0, beginning: -8, end: endBias, other: -24 };
  for (const [token, kind] of vocabulary.kinds.entries()) {
    const row = token * embedding;
    const previous = before.get(token);
    values[row] = biases[kind] / firstComponent;
    for (let index = 1; index < embedding; index++) {
      const follow = previous === undefined ? 0 : (embeddings[previous * embedding + index] ?? 0);
      values[row + index] = normal() * 0.3 + follow * 0.35;
    }
  }
  return values;
}

/** Each text token's predecessor in a random cycle through all of them. */
function cycle(vocabulary: Vocabulary, normal: Normal): ReadonlyMap<number, number> {
  const tokens = [...vocabulary.kinds.keys()].filter((token) => vocabulary.kinds[token] === "text");
  const order = tokens.map((token) => ({ token, key: normal() })).sort((left, right) => left.key - right.key);
  return new Map(order.map(({ token }, index) => [token, order.at(index - 1)?.token ?? token]));
}
