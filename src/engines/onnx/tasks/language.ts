/** Which language somebody speaks: Whisper's first token after the start (https://arxiv.org/abs/2212.04356, 2.3). */
import type { OnnxContext } from "../context.ts";
import { isConfig } from "../files.ts";
import type { Pipeline } from "../transformers.ts";

/** Token of each language, by its code; undefined: the model knows one. */
function tokensOf({ model }: Pipeline): ReadonlyMap<string, number> | undefined {
  const { generation_config: config } = model;
  const ids = typeof config === "object" && config !== null && "lang_to_id" in config ? config.lang_to_id : undefined;
  if (!isConfig(ids)) return undefined;
  const pairs = Object.entries(ids).flatMap(([token, id]) => {
    const code = /^<\|(\w+)\|>$/.exec(token)?.[1];
    return code !== undefined && typeof id === "number" ? [[code, id] as const] : [];
  });
  return new Map(pairs);
}

export function languagesOf(pipe: Pipeline): ReadonlySet<string> | undefined {
  const tokens = tokensOf(pipe);
  return tokens && new Set(tokens.keys());
}

export async function detectLanguage(
  context: OnnxContext,
  pipe: Pipeline,
  samples: Float32Array,
): Promise<string | undefined> {
  const tokens = tokensOf(pipe);
  const start = context.config("config.json")?.["decoder_start_token_id"];
  if (!tokens || typeof start !== "number") return undefined;
  const { Tensor } = await context.transformers();
  const { input_features: features } = await pipe.processor(samples);
  const first = new Tensor("int64", BigInt64Array.of(BigInt(start)), [1, 1]);
  const { logits } = await pipe.model({ input_features: features, decoder_input_ids: first });
  if (!logits) return undefined;
  const scores = logits.data as Float32Array;
  const offset = scores.length - (logits.dims.at(-1) ?? 0);
  const [best] = [...tokens].sort(([, a], [, b]) => (scores[offset + b] ?? 0) - (scores[offset + a] ?? 0));
  return best?.[0];
}
