/** Texts → vectors (sentence-transformers: https://arxiv.org/abs/1908.10084). */
import { HearthError } from "../../../error.ts";
import { createBatcher, textBatch } from "../batch.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import { isConfig } from "../files.ts";
import { padTexts, openTextEncoder } from "../text.ts";
import type { EncodedText } from "../text.ts";
import type { Floats } from "../values.ts";
import { toFloats } from "../values.ts";

type Pooling = "mean" | "cls" | "last";

export const openEmbed: OpenTasks = async (context) => {
  const [session, encoder] = [await context.session(), await openTextEncoder(context)];
  const pooling = poolingOf(context);
  const prefix = promptOf(context);
  const batcher = createBatcher<EncodedText, Float32Array>({
    lengthOf: ({ ids }) => ids.length,
    ...textBatch(context.device),
    async run(rows) {
      const outputs = await session.run(padTexts(rows, session, encoder.padId));
      const sentence = outputs["sentence_embedding"];
      if (sentence?.shape.length === 2) return rows.map((_, index) => normalize(rowOf(toFloats(sentence), index)));
      const found = outputs["last_hidden_state"] ?? outputs["token_embeddings"] ?? Object.values(outputs)[0];
      const hidden = found && toFloats(found);
      if (hidden?.shape.length === 2) return rows.map((_, index) => normalize(rowOf(hidden, index)));
      if (hidden?.shape.length !== 3) {
        throw new HearthError("model_unsupported", `The model "${context.name}" gives no vector for each token.`);
      }
      return rows.map(({ ids }, index) => normalize(pool(hidden, { index, tokens: ids.length, pooling })));
    },
  });
  return {
    text: encoder,
    batches: true,
    async embed({ texts }, signal) {
      const rows = texts.map((text, index) => encoder.encode(prefix + text, { index }));
      const vectors = await batcher.add(rows, signal);
      return { vectors, tokens: rows.reduce((sum, { ids }) => sum + ids.length, 0) };
    },
  };
};

function poolingOf({ info }: OnnxContext): Pooling {
  return info.pooling === "cls" || info.pooling === "last" ? info.pooling : "mean";
}

/** What the model wants before every text where nobody says what the text is for. */
function promptOf(context: OnnxContext): string {
  const config = context.config("config_sentence_transformers.json");
  const [name, prompts] = [config?.["default_prompt_name"], config?.["prompts"]];
  const prompt = typeof name === "string" && isConfig(prompts) ? prompts[name] : undefined;
  return typeof prompt === "string" ? prompt : "";
}

function rowOf(tensor: Floats, index: number): Float32Array {
  const width = tensor.shape.at(-1) ?? 0;
  return tensor.data.slice(index * width, (index + 1) * width);
}

/** [rows, tokens, width] → the vector of a row, without those of its padding. */
function pool(
  hidden: Floats,
  { index, tokens, pooling }: { readonly index: number; readonly tokens: number; readonly pooling: Pooling },
): Float32Array {
  const [, longest = 0, width = 0] = hidden.shape;
  const { data } = hidden;
  const start = index * longest * width;
  if (pooling !== "mean") {
    const at = start + (pooling === "cls" ? 0 : tokens - 1) * width;
    return data.slice(at, at + width);
  }
  const sum = new Float32Array(width);
  for (let token = 0; token < tokens; token++) {
    const at = start + token * width;
    for (let column = 0; column < width; column++) sum[column]! += data[at + column]!;
  }
  return sum.map((value) => value / tokens);
}

function normalize(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const length = Math.sqrt(sum);
  // A text without tokens has no direction.
  return length > 0 ? vector.map((value) => value / length) : vector;
}
