import type { CallOptions, EmbedRequest, LoadedModel, RerankRequest } from "../../spec/engine.ts";
import type { Capability } from "../../spec/model.ts";
import { tooLong } from "./generate.ts";
import type { FakeOptions } from "./options.ts";
import type { FakeStats } from "./stats.ts";
import { hashText, splitWords } from "./tokens.ts";

/** Runs work until it is done, the caller aborts, or the fake ends. */
export type Guard = <T>(work: () => Promise<T>, signal: AbortSignal | undefined) => Promise<T>;

export interface VectorContext {
  readonly capabilities: readonly Capability[];
  readonly contextTokens: number;
  readonly fake: FakeOptions;
  readonly stats: FakeStats;
  readonly guard: Guard;
  /** Components of an embedding of the model. */
  readonly most: number;
}

/** What a fake does with whole texts, as far as it can. */
export function vectorMethods(context: VectorContext): Pick<LoadedModel, "embed" | "rerank"> {
  const { capabilities, contextTokens, fake, stats, guard, most } = context;
  const dimensions = fake.dimensions ?? Math.min(most, 64);
  const count = (texts: readonly string[]): number => {
    const tokens = countTokens(texts, contextTokens);
    stats.batch(tokens);
    return tokens;
  };
  return {
    ...(capabilities.includes("embed") && {
      embed: ({ texts }: EmbedRequest, call?: CallOptions) =>
        guard(async () => {
          await fake.beforeBatch?.(texts);
          const tokens = count(texts);
          return { vectors: texts.map((text) => embedText(text, dimensions)), tokens };
        }, call?.signal),
    }),
    ...(capabilities.includes("rerank") && {
      rerank: ({ query, documents }: RerankRequest, call?: CallOptions) =>
        guard(async () => {
          await fake.beforeBatch?.(documents);
          const tokens = count(documents.map((document) => `${query} ${document}`));
          return { scores: documents.map((document) => overlap(query, document)), tokens };
        }, call?.signal),
    }),
  };
}

function countTokens(texts: readonly string[], contextTokens: number): number {
  let sum = 0;
  for (const [index, text] of texts.entries()) {
    const promptTokens = splitWords(text).length;
    if (promptTokens > contextTokens) throw tooLong(promptTokens, contextTokens, index);
    sum += promptTokens;
  }
  return sum;
}

/** Each word adds 1 at the place its hash names, so texts with common words are near each other. */
function embedText(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(Math.max(1, dimensions));
  const words = normalWords(text);
  for (const word of words.length > 0 ? words : [""]) {
    const place = hashText(word) % vector.length;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** Part of the query's words that the document has. */
function overlap(query: string, document: string): number {
  const asked = new Set(normalWords(query));
  const given = new Set(normalWords(document));
  return asked.size === 0 ? 0 : [...asked].filter((word) => given.has(word)).length / asked.size;
}

function normalWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
