import { activeSamplingOptions } from "../../spec/sampling.ts";
import type { EmbedTaskRequest, EmbedTaskResult, TaskOptions } from "../../spec/task.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Reply, RouteRequest } from "../route.ts";
import { unsupported } from "./fields.ts";
import { loadModel } from "./idle.ts";
import { withModel } from "./names.ts";
import { toModelOptions } from "./options.ts";
import { toTaskOptions } from "./request.ts";
import type { EmbedBody, EmbeddingsBody } from "./schema.ts";
import { parseEmbedBody, parseEmbeddingsBody } from "./schema.ts";
import { nanoseconds } from "./wire.ts";

/** POST /api/embed. Vectors have length 1. No input: loads the model. */
export async function handleEmbed(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const body = parseEmbedBody(request.body);
  const task = toEmbedOptions(body, request);
  const input = body.input ?? "";
  const texts = typeof input === "string" ? [input].filter((text) => text !== "") : input;
  if (texts.length === 0) {
    await loadModel(hearth, task);
    return { kind: "json", body: { model: body.model, embeddings: [] } };
  }
  const result = await embed(hearth, {
    ...task,
    texts,
    ...(body.dimensions ? { dimensions: body.dimensions } : {}),
    // Ollama cuts texts in silence unless told not to; here only when asked for.
    truncate: body.truncate === true,
  });
  return { kind: "json", headers: truncatedHeader(result), body: toEmbedAnswer(body.model, result) };
}

/** POST /api/embeddings, the older form: one text, one vector. */
export async function handleEmbeddings(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const body = parseEmbeddingsBody(request.body);
  const task = toEmbedOptions(body, request);
  if (!body.prompt) {
    await loadModel(hearth, task);
    return { kind: "json", body: { embedding: [] } };
  }
  const { vectors } = await embed(hearth, { ...task, texts: [body.prompt] });
  return { kind: "json", body: { embedding: Array.from(vectors[0] ?? []) } };
}

function toEmbedOptions(body: EmbedBody | EmbeddingsBody, request: RouteRequest): TaskOptions {
  const { sampling, load, maxTokens, stop } = toModelOptions(body.options);
  const [active] = activeSamplingOptions(sampling);
  const useless = active ?? (maxTokens ? "num_predict" : stop && "stop");
  if (useless !== undefined) throw unsupported(`options.${useless}`, "it has no meaning for embeddings");
  return toTaskOptions(body, load, request);
}

async function embed(hearth: Hearth, task: EmbedTaskRequest): Promise<EmbedTaskResult> {
  return await withModel(task.model, async () => await hearth.embed(task));
}

function toEmbedAnswer(model: string, result: EmbedTaskResult): object {
  return {
    model,
    embeddings: result.vectors.map((vector) => Array.from(vector)),
    total_duration: nanoseconds(result.totalMs),
    load_duration: nanoseconds(result.loadMs),
    prompt_eval_count: result.tokens,
    ...(result.truncated.length > 0 ? { hearth: { truncated: result.truncated } } : {}),
  };
}

function truncatedHeader({ truncated }: EmbedTaskResult): Readonly<Record<string, string>> {
  return truncated.length > 0 ? { "x-hearth-truncated-inputs": truncated.join(",") } : {};
}
