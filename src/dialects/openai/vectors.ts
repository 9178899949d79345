/** `/v1/embeddings` and `/v1/rerank`: bodies, and results → responses. */
import { z } from "zod";
import type { EmbedTaskRequest, EmbedTaskResult, RerankTaskRequest, RerankTaskResult } from "../../spec/task.ts";
import { badField, parseBody } from "../shared/body.ts";
import { defined } from "../shared/defined.ts";
import { parseKeepAlive } from "../shared/duration.ts";
import type { Caller } from "./request.ts";

export interface EmbeddingsCall {
  readonly request: EmbedTaskRequest;
  readonly base64: boolean;
}

export interface RerankCall {
  readonly request: RerankTaskRequest;
  readonly returnDocuments: boolean;
}

const common = {
  model: z.string().min(1).max(512),
  keep_alive: z.union([z.string(), z.number()], { error: "must be a duration or a number of seconds" }).optional(),
};

const embeddingsBody = z.object({
  ...common,
  input: z.union([z.string(), z.array(z.unknown())], {
    error: "must be text or an array of up to 2,048 texts",
  }),
  encoding_format: z.enum(["float", "base64"]).optional(),
  dimensions: z.int().min(1).optional(),
  truncate: z.boolean().optional(),
});

const rerankBody = z.object({
  ...common,
  query: z.string().min(1),
  documents: z
    .array(z.union([z.string(), z.object({ text: z.string() })], { error: 'must be text or {"text": …}' }))
    .min(1)
    .max(2048),
  top_n: z.int().min(1).optional(),
  return_documents: z.boolean().optional(),
});

export function parseEmbeddings(body: unknown, caller: Caller): EmbeddingsCall {
  const {
    model,
    input,
    encoding_format: encoding,
    dimensions,
    truncate,
    keep_alive: keepAlive,
  } = parseBody(embeddingsBody, body);
  return {
    request: {
      model,
      texts: toTexts(input),
      ...caller,
      ...defined({ dimensions, truncate, keepAliveMs: toKeepAlive(keepAlive) }),
    },
    base64: encoding === "base64",
  };
}

export function parseRerank(body: unknown, caller: Caller): RerankCall {
  const {
    model,
    query,
    documents,
    top_n: topN,
    return_documents: returns,
    keep_alive: keepAlive,
  } = parseBody(rerankBody, body);
  const texts = documents.map((document) => (typeof document === "string" ? document : document.text));
  return {
    request: { model, query, documents: texts, ...caller, ...defined({ topN, keepAliveMs: toKeepAlive(keepAlive) }) },
    returnDocuments: returns === true,
  };
}

export function toEmbeddingsResponse(
  { model, vectors, tokens, truncated }: EmbedTaskResult,
  base64: boolean,
): Readonly<Record<string, unknown>> {
  return {
    object: "list",
    model,
    data: vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: base64 ? toBase64(vector) : [...vector],
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    ...(truncated.length > 0 && { hearth: { truncated } }),
  };
}

/** The shape that Jina, Cohere and llama.cpp share. */
export function toRerankResponse(
  { model, results, tokens }: RerankTaskResult,
  { request, returnDocuments }: RerankCall,
  id: string,
): Readonly<Record<string, unknown>> {
  return {
    id,
    object: "list",
    model,
    results: results.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(returnDocuments && { document: { text: request.documents[index] ?? "" } }),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function toTexts(input: string | readonly unknown[]): readonly string[] {
  if (typeof input === "string") return [input];
  const wrong = input.findIndex((item) => typeof item !== "string");
  if (input.length === 0 || input.length > 2048) throw badField("input", `has ${input.length} items; 1 to 2,048 fit`);
  if (wrong < 0) return input as readonly string[];
  const field = input.every((item) => typeof item === "number" || Array.isArray(item)) ? "input" : `input[${wrong}]`;
  throw badField(field, "is not text", "Send texts, not tokens: each model has its own tokens.");
}

function toKeepAlive(value: string | number | undefined): number | undefined {
  return value === undefined ? undefined : parseKeepAlive(value);
}

/** Little-endian float32, as OpenAI sends it. */
function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString("base64");
}
