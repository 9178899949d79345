import type { LlamaEmbeddingContext, LlamaRankingContext } from "node-llama-cpp";
import type { EmbedRequest, EmbedResult, RerankRequest, RerankResult } from "../../spec/engine.ts";
import { abortError } from "../../util/abort.ts";
import type { ModelText } from "./text.ts";
import { tooLong } from "./text.ts";

export interface EmbedContext {
  readonly context: LlamaEmbeddingContext;
  readonly text: ModelText;
  readonly contextTokens: number;
}

/** One vector per text, L2-normalized. All lengths are checked before any work. */
export async function embed(
  { texts }: EmbedRequest,
  { context, text, contextTokens }: EmbedContext,
  signal: AbortSignal | undefined,
): Promise<EmbedResult> {
  const inputs = texts.map((item) => text.plainTokens(item));
  const lengths = inputs.map((input) => context.calculateInputLength(input));
  for (const [index, length] of lengths.entries()) {
    if (length >= contextTokens) throw tooLong(length, contextTokens - 1, index);
  }
  const vectors: Float32Array[] = [];
  for (const input of inputs) {
    if (signal?.aborted) throw abortError(signal);
    const { vector } = await context.getEmbeddingFor(input);
    vectors.push(normalize(vector));
  }
  return { vectors, tokens: sum(lengths) };
}

function normalize(vector: readonly number[]): Float32Array {
  const length = Math.sqrt(sum(vector.map((value) => value * value)));
  // A text without tokens has no direction.
  return Float32Array.from(vector, (value) => (length > 0 ? value / length : 0));
}

export interface RerankContext {
  readonly context: LlamaRankingContext;
  readonly text: ModelText;
  readonly contextTokens: number;
}

/** One score from 0 to 1 per document. */
export async function rerank(
  { query, documents }: RerankRequest,
  { context, text, contextTokens }: RerankContext,
  signal: AbortSignal | undefined,
): Promise<RerankResult> {
  const asked = text.plainTokens(query);
  const inputs = documents.map((document) => text.plainTokens(document));
  const lengths = inputs.map((input) => context.calculateInputLength(asked, input));
  for (const [index, length] of lengths.entries()) {
    if (length >= contextTokens) throw tooLong(length, contextTokens - 1, index);
  }
  const scores: number[] = [];
  for (const input of inputs) {
    if (signal?.aborted) throw abortError(signal);
    scores.push(await context.rank(asked, input));
  }
  return { scores, tokens: sum(lengths) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
