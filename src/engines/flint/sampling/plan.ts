import { HearthError } from "../../../error.ts";
import type { Sampling } from "../../../spec/sampling.ts";

/** Sampling options with every gap filled: what is off has its neutral value. */
export interface SamplingPlan {
  /** 0: the likeliest token. */
  readonly temperature: number;
  /** Infinity: off. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly typicalP: number;
  /** 0: off. */
  readonly topNSigma: number;
  readonly xtc: { readonly probability: number; readonly threshold: number } | undefined;
  readonly mirostat: { readonly version: 1 | 2; readonly tau: number; readonly eta: number } | undefined;
  readonly penalties: PenaltyPlan | undefined;
  readonly dry: DryPlan | undefined;
  readonly bias: readonly (readonly [token: number, value: number])[];
}

export interface PenaltyPlan {
  readonly repeat: number;
  readonly presence: number;
  readonly frequency: number;
  readonly lastTokens: number;
}

export interface DryPlan {
  readonly multiplier: number;
  readonly base: number;
  readonly allowedLength: number;
  readonly lastTokens: number;
  readonly breakers: readonly string[];
}

const breakers = ["\n", ":", '"', "*"];

/** Throws `bad_request` for a bias of a token that the model does not have. */
export function planSampling(sampling: Sampling, vocabularySize: number): SamplingPlan {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, typicalP = 1, topNSigma = 0, xtc, mirostat } = sampling;
  return {
    temperature: Math.max(0, temperature),
    topK: topK > 0 ? topK : Infinity,
    topP,
    minP,
    typicalP,
    topNSigma: Math.max(0, topNSigma),
    // Above a half no two tokens can pass the threshold.
    xtc: xtc && xtc.probability > 0 && xtc.threshold <= 0.5 ? xtc : undefined,
    mirostat: mirostat && { version: mirostat.version, tau: mirostat.tau ?? 5, eta: mirostat.eta ?? 0.1 },
    penalties: planPenalties(sampling),
    dry: planDry(sampling),
    bias: planBias(sampling.logitBias, vocabularySize),
  };
}

function planPenalties({
  repeatPenalty: repeat = 1,
  presencePenalty: presence = 0,
  frequencyPenalty: frequency = 0,
  repeatLastTokens: lastTokens = 64,
}: Sampling): PenaltyPlan | undefined {
  if (lastTokens === 0 || (repeat === 1 && presence === 0 && frequency === 0)) return undefined;
  return { repeat, presence, frequency, lastTokens: lastTokens < 0 ? Infinity : lastTokens };
}

function planDry({ dry }: Sampling): DryPlan | undefined {
  if (!dry || dry.multiplier === 0 || dry.lastTokens === 0) return undefined;
  const { multiplier, base = 1.75, allowedLength = 2, lastTokens = -1, sequenceBreakers = breakers } = dry;
  // A base below 1 would reward longer repetitions; llama.cpp too takes it for off.
  if (base < 1) return undefined;
  return {
    multiplier,
    base,
    allowedLength,
    lastTokens: lastTokens < 0 ? Infinity : lastTokens,
    breakers: sequenceBreakers.map(toByteString),
  };
}

/** A text as its bytes in UTF-8, one character for each. */
function toByteString(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

function planBias(bias: Sampling["logitBias"], vocabularySize: number): SamplingPlan["bias"] {
  return [...(bias ?? [])].map(([token, value]) => {
    if (!Number.isInteger(token) || token < 0 || token >= vocabularySize) {
      throw new HearthError("bad_request", `Token ${token} is not in the model's vocabulary of ${vocabularySize}.`, {
        details: { field: "logitBias", token },
      });
    }
    return [token, value <= -100 ? -Infinity : value];
  });
}
