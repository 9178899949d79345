import type { Lease, Runtime } from "../runtime/contract.ts";
import type { EmbedTaskRequest, EmbedTaskResult } from "../spec/task.ts";
import { need } from "./capability.ts";
import { checkLength, checkNumber, mostTexts, refuse } from "./check.ts";
import { toTaskError } from "./failure.ts";
import { withLease } from "./lease.ts";

/** Texts of one call to the engine: a large request can be aborted between calls. */
const batchSize = 64;
/** Tokens that an engine may put around a text. */
const frameTokens = 2;

/** One L2-normalized vector per text, in the order of the texts. */
export async function embed(runtime: Runtime, request: EmbedTaskRequest): Promise<EmbedTaskResult> {
  const startedAt = performance.now();
  checkRequest(request);
  return await withLease(runtime, request, async (lease) => {
    const run = need(lease, "embed");
    const { signal, dimensions } = request;
    const call = signal ? { signal } : {};
    try {
      const { texts, truncated } = request.truncate ? await cutTexts(request, lease) : { ...request, truncated: [] };
      const vectors: Float32Array[] = [];
      let tokens = 0;
      for (let from = 0; from < texts.length; from += batchSize) {
        signal?.throwIfAborted();
        const result = await run({ texts: texts.slice(from, from + batchSize) }, call);
        vectors.push(...result.vectors.map((vector) => shorten(vector, dimensions)));
        tokens += result.tokens;
      }
      const { loadMs, model } = lease;
      return { model: model.name, vectors, tokens, truncated, loadMs, totalMs: performance.now() - startedAt };
    } catch (error) {
      throw toTaskError(error, signal);
    }
  });
}

function checkRequest({ texts, dimensions }: EmbedTaskRequest): void {
  if (texts.length === 0) throw refuse("input", "is empty", "Send at least one text.");
  if (texts.length > mostTexts) throw refuse("input", `has ${texts.length} texts; ${mostTexts} are the most`);
  for (const text of texts) {
    if (text === "") throw refuse("input", "holds an empty text");
    checkLength("input", text.length);
  }
  if (dimensions !== undefined) checkNumber("dimensions", dimensions, { min: 1, max: 2 ** 20, whole: true });
}

interface CutResult {
  readonly texts: readonly string[];
  readonly truncated: readonly number[];
}

async function cutTexts({ texts, signal }: EmbedTaskRequest, { loaded }: Lease): Promise<CutResult> {
  const most = loaded.contextTokens - frameTokens;
  const call = signal ? { signal } : {};
  const truncated: number[] = [];
  const kept: string[] = [];
  for (const [index, text] of texts.entries()) {
    kept.push(text);
    // A token is at least one byte, so a short text needs no counting.
    if (Buffer.byteLength(text) <= most) continue;
    const tokens = await loaded.tokenize([{ text, special: false }], call);
    if (tokens.length <= most) continue;
    kept[index] = await loaded.detokenize(tokens.slice(0, most), call);
    truncated.push(index);
  }
  return { texts: kept, truncated };
}

/** Keeps the first components and makes the vector a unit vector again. */
function shorten(vector: Float32Array, dimensions: number | undefined): Float32Array {
  if (dimensions === undefined || dimensions === vector.length) return vector;
  if (dimensions > vector.length) {
    throw refuse("dimensions", `is ${dimensions}; the vectors of this model have ${vector.length}`);
  }
  const part = vector.slice(0, dimensions);
  let sum = 0;
  for (const value of part) sum += value * value;
  const length = Math.sqrt(sum);
  return length === 0 ? part : part.map((value) => value / length);
}
