/** Sampling options that travel with a model (Modelfile parameters) stand in where a request says nothing. */
import type { ModelOverrides } from "../spec/model.ts";
import type { Sampling } from "../spec/sampling.ts";
import type { GenerationOptions } from "../spec/task.ts";

const samplingNames: Readonly<Record<string, keyof Sampling>> = {
  temperature: "temperature",
  top_k: "topK",
  top_p: "topP",
  min_p: "minP",
  typical_p: "typicalP",
  repeat_penalty: "repeatPenalty",
  repeat_last_n: "repeatLastTokens",
  presence_penalty: "presencePenalty",
  frequency_penalty: "frequencyPenalty",
  seed: "seed",
};

/** What of a request's options may come from the model. */
export interface EffectiveOptions {
  readonly sampling: Sampling;
  readonly stop: readonly string[];
  readonly maxTokens: number | undefined;
}

export function withDefaults(request: GenerationOptions, overrides: ModelOverrides | undefined): EffectiveOptions {
  const parameters = overrides?.parameters ?? {};
  const own: Record<string, number> = {};
  for (const [name, option] of Object.entries(samplingNames)) {
    const value = parameters[name];
    if (typeof value === "number" && Number.isFinite(value)) own[option] = value;
  }
  const most = parameters["num_predict"];
  return {
    sampling: { ...own, ...dropUndefined(request.sampling ?? {}) },
    stop: request.stop ?? stopsOf(parameters["stop"]),
    maxTokens: request.maxTokens ?? (typeof most === "number" && most >= 0 ? most : undefined),
  };
}

function stopsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((stop) => typeof stop === "string").filter((stop) => stop !== "");
}

function dropUndefined(sampling: Sampling): Sampling {
  return Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined));
}
