import type { Sampling } from "../../spec/sampling.ts";

/** All sampling options there are. */
export const flintSamplingOptions: ReadonlySet<keyof Sampling> = new Set<keyof Sampling>([
  "temperature",
  "topK",
  "topP",
  "minP",
  "typicalP",
  "topNSigma",
  "repeatPenalty",
  "repeatLastTokens",
  "presencePenalty",
  "frequencyPenalty",
  "seed",
  "xtc",
  "dry",
  "mirostat",
  "logitBias",
]);
