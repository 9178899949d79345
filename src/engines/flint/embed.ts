/** Vectors and scores of encoders. */
import type { EmbedRequest, EmbedResult, RerankRequest, RerankResult } from "../../spec/engine.ts";
import { abortError } from "../../util/abort.ts";
import type { ModelText } from "./text.ts";
import { tooLong } from "./text.ts";
import type { FlintThreads } from "./threads/pool.ts";

export interface Encoder {
  readonly threads: FlintThreads;
  readonly text: ModelText;
  readonly contextTokens: number;
  readonly pooling: "none" | "mean" | "cls" | "last" | "rank";
}

/** One vector per text, L2-normalized. All lengths are checked before any work. */
export async function embed(
  { texts }: EmbedRequest,
  encoder: Encoder,
  signal: AbortSignal | undefined,
): Promise<EmbedResult> {
  const inputs = texts.map((text) => framed([encoder.text.plainTokens(text)], encoder.text));
  const rows = await encode(inputs, encoder, signal);
  const vectors = rows.map((row, index) => normalize(pool(row, inputs[index]?.length ?? 1, encoder.pooling)));
  return { vectors, tokens: sum(inputs.map(({ length }) => length)) };
}

/** One score from 0 to 1 per document: the sigmoid of the model's score of query and document together. */
export async function rerank(
  { query, documents }: RerankRequest,
  encoder: Encoder,
  signal: AbortSignal | undefined,
): Promise<RerankResult> {
  const asked = encoder.text.plainTokens(query);
  const inputs = documents.map((document) => framed([asked, encoder.text.plainTokens(document)], encoder.text));
  const rows = await encode(inputs, encoder, signal);
  const scores = rows.map((row) => 1 / (1 + Math.exp(-(row[0] ?? 0))));
  return { scores, tokens: sum(inputs.map(({ length }) => length)) };
}

async function encode(
  inputs: readonly (readonly number[])[],
  { threads, contextTokens }: Encoder,
  signal: AbortSignal | undefined,
): Promise<readonly Float32Array[]> {
  inputs.forEach(({ length }, index) => {
    if (length > contextTokens) throw tooLong(length, contextTokens, index);
  });
  const vectors: Float32Array[] = [];
  for (const input of inputs) {
    if (signal?.aborted) throw abortError(signal);
    const reply = await threads.ask({ type: "encode", texts: [input] }, "vectors", signal);
    vectors.push(...reply.vectors);
  }
  return vectors;
}

/**
 * `[CLS] text [SEP]`, or `<s> text </s>`, as far as the model has them. Between two parts stand the token that ends a text
 * and the one that divides texts: `[CLS] query [SEP] document [SEP]`, but `<s> query </s></s> document </s>`.
 */
function framed(parts: readonly (readonly number[])[], { tokenizer }: ModelText): number[] {
  const { bos, eos, cls, sep, addBos, addEos, addSep } = tokenizer;
  const known = (token: number | undefined): number[] => (token === undefined ? [] : [token]);
  const first = addBos ? known(bos ?? cls) : [];
  const ends = [...(addEos ? known(eos) : []), ...(addSep ? known(sep) : [])];
  const divider = ends.length > 0 ? ends : known(sep ?? eos);
  const texts = parts.flatMap((part, index) => (index === 0 ? [...part] : [...divider, ...part]));
  return [...first, ...texts, ...ends.slice(0, 1)];
}

function pool(rows: Float32Array, count: number, pooling: Encoder["pooling"]): Float32Array {
  const width = rows.length / count;
  if (pooling === "cls" || pooling === "rank") return rows.slice(0, width);
  if (pooling === "last") return rows.slice(rows.length - width);
  const mean = new Float32Array(width);
  for (let index = 0; index < rows.length; index++) mean[index % width]! += (rows[index] ?? 0) / count;
  return mean;
}

function normalize(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  // A text without tokens has no direction.
  return vector.map((value) => (length > 0 ? value / length : 0));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
