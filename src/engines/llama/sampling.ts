import type { LlamaModel, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { DrySampling, Sampling } from "../../spec/sampling.ts";
import type { LlamaModule } from "./backend.ts";
import { setBias } from "./internals.ts";

export const llamaSamplingOptions: readonly (keyof Sampling)[] = [
  "temperature",
  "topK",
  "topP",
  "minP",
  "repeatPenalty",
  "repeatLastTokens",
  "presencePenalty",
  "frequencyPenalty",
  "seed",
  "xtc",
  "dry",
  "logitBias",
];

/** The sampling part of node-llama-cpp's evaluation options. */
export type SamplerOptions = Pick<
  SequenceEvaluateOptions,
  "temperature" | "topK" | "topP" | "minP" | "seed" | "xtc" | "repeatPenalty" | "dryRepeatPenalty" | "tokenBias"
>;

export interface SamplerContext {
  readonly library: LlamaModule;
  readonly model: LlamaModel;
  readonly defaults: Sampling;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  /** Prompt and answer so far; penalties look back on it. */
  readonly history: readonly number[];
}

export function toSamplerOptions(request: Sampling, context: SamplerContext): SamplerOptions {
  const set = Object.entries(request).filter(([, value]) => value !== undefined);
  const sampling: Sampling = { ...context.defaults, ...Object.fromEntries(set) };
  const { temperature = 0, topK = 0, topP = 1, minP = 0, xtc, dry, logitBias } = sampling;
  return {
    temperature,
    topK: Math.max(0, topK),
    topP,
    minP,
    seed: toSeed(sampling.seed),
    ...(xtc && xtc.probability > 0 && { xtc }),
    ...penalties(sampling, context),
    ...(dry &&
      dry.multiplier > 0 && {
        dryRepeatPenalty: toDry(dry),
      }),
    ...(logitBias && logitBias.size > 0 && { tokenBias: toBias(logitBias, context) }),
  };
}

function toDry(dry: DrySampling): NonNullable<SamplerOptions["dryRepeatPenalty"]> {
  const { multiplier, base, allowedLength, lastTokens, sequenceBreakers } = dry;
  return {
    strength: multiplier,
    ...(base !== undefined && { base }),
    ...(allowedLength !== undefined && { allowedLength }),
    ...(lastTokens !== undefined && { lastTokens: lastTokens < 0 ? null : lastTokens }),
    ...(sequenceBreakers && { sequenceBreakers: [...sequenceBreakers] }),
  };
}

/** Any integer to the 32 bits that llama.cpp takes; no seed or a negative one: random. */
function toSeed(seed: number | undefined): number {
  if (seed === undefined || seed < 0) return Math.floor(Math.random() * 2 ** 32);
  return Math.floor(seed) % 2 ** 32;
}

function penalties(
  sampling: Sampling,
  { history, contextTokens }: SamplerContext,
): Pick<SamplerOptions, "repeatPenalty"> {
  const { repeatPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, repeatLastTokens = 64 } = sampling;
  const last = repeatLastTokens < 0 ? contextTokens : repeatLastTokens;
  if (last === 0 || (repeatPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0)) return {};
  return {
    repeatPenalty: {
      penalty: repeatPenalty,
      presencePenalty,
      frequencyPenalty,
      maxPunishTokens: last,
      punishTokens: () => history.slice(-last) as Token[],
    },
  };
}

function toBias(biases: ReadonlyMap<number, number>, { library, model, vocabularySize }: SamplerContext) {
  const bias = library.TokenBias.for(model);
  for (const [token, value] of biases) {
    if (!Number.isInteger(token) || token < 0 || token >= vocabularySize) {
      throw new HearthError("bad_request", `Token ${token} is not in the model's vocabulary of ${vocabularySize}.`, {
        details: { field: "logitBias", token },
      });
    }
    setBias(bias, token as Token, value <= -100 ? -Infinity : value);
  }
  return bias;
}
