import type { ModelInfo } from "../../spec/model.ts";
import type { Sampling } from "../../spec/sampling.ts";

/** What llama.cpp samples with when nobody says anything. */
const defaults = { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 } as const;

/** Defaults that the model's author wrote into the file (`general.sampling.*`), else llama.cpp's. */
export function modelSampling({ metadata }: Pick<ModelInfo, "metadata">): Sampling {
  const read = (name: string): number | undefined => {
    const value = metadata[`general.sampling.${name}`];
    return typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined;
  };
  const own = {
    temperature: read("temp"),
    topK: read("top_k"),
    topP: read("top_p"),
    minP: read("min_p"),
    repeatPenalty: read("penalty_repeat"),
    repeatLastTokens: read("penalty_last_n"),
  };
  return { ...defaults, ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)) };
}
