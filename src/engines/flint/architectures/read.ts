import { HearthError } from "../../../error.ts";
import { booleanOf, failKey, integerOf, numberOf, stringOf } from "../../../formats/gguf/check.ts";
import { isGgufArray } from "../../../formats/gguf/types.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { NormOptions, RopeOptions } from "../graph/graph.ts";
import type { EncoderParameters, ExpertParameters, Hyperparameters, Pooling } from "./hyperparameters.ts";
import { readHeads, readLayers } from "./layers.ts";
import { createTensors } from "./tensors.ts";

/** Layers with a sliding window among those without. */
export interface WindowOptions {
  /** One layer of this many is global, unless the header says otherwise: the last of each group, or the first one. */
  readonly period: number;
  readonly globalFirst?: boolean;
  /** Default of the window. */
  readonly size?: number;
  /** A window of 0 means that there is none. */
  readonly optional?: boolean;
  /** Layers with a window have a rope without scaling, whose base is this unless the header gives another. */
  readonly localRope?: { readonly base?: number };
}

/** What a family says about its models. */
export interface FamilyOptions {
  /** Tokens of one sequence that the model is loaded for; LongRoPE chooses its factors by them. Default: those of the training. */
  readonly contextTokens?: number | undefined;
  readonly norm: NormOptions["kind"];
  readonly rope?: RopeOptions["pairing"];
  /** Places have three directions: key `rope.dimension_sections`. */
  readonly ropeSections?: boolean;
  /** The family may have `rope_freqs` or `rope_factors_*`. */
  readonly ropeFactors?: boolean;
  readonly window?: WindowOptions;
  /** Layers that have no rope. */
  readonly withoutRope?: (layer: number) => boolean;
  readonly encoder?: boolean;
}

const any = [0, 2 ** 31] as const;
const anyNumber = [-3.4e38, 3.4e38] as const;

/**
 * Reads the keys `<architecture>.*` with the defaults of llama.cpp. `validateForEngine` has checked their types and
 * ranges; here is what only a graph needs. Throws `model_malformed` with {field, offset}.
 */
export function readHyperparameters(file: GgufFile, options: FamilyOptions): Hyperparameters {
  const architecture = architectureOf(file);
  const key = (name: string): string => `${architecture}.${name}`;
  const embedding = requireInteger(file, key("embedding_length"));
  const trainContextTokens = requireInteger(file, key("context_length"));
  const tensors = createTensors(file);
  const heads = readHeads(file, architecture);
  const byDefault = Math.floor(embedding / (heads.heads[0] ?? 1));
  const headWidth = integerOf(file, key("attention.key_length"), any) ?? byDefault;
  const contextTokens = options.contextTokens ?? trainContextTokens;
  const source = { file, architecture, tensors, headWidth, contextTokens, trainContextTokens };
  const experts = readExperts(file, key);
  return {
    architecture,
    embedding,
    layers: readLayers(source, { options, heads, hasExperts: experts !== undefined }),
    headWidth,
    valueWidth: integerOf(file, key("attention.value_length"), any) ?? byDefault,
    vocabularySize: readVocabularySize(file, architecture),
    trainContextTokens,
    norm: { kind: options.norm, epsilon: readEpsilon(file, key, options.norm) },
    attentionScale: readNumber(file, key("attention.scale")) ?? 1 / Math.sqrt(headWidth),
    ...(experts && { experts }),
    ...(options.encoder && { encoder: readEncoder(file, architecture) }),
    causal: booleanOf(file, key("attention.causal")) ?? !options.encoder,
    pooling: readPooling(file, key("pooling_type"), options),
    tensors,
  };
}

export function architectureOf(file: GgufFile): string {
  return stringOf(file, "general.architecture") ?? failKey(file, "general.architecture", "is missing");
}

/** A number of the header; 0 counts as absent, as in llama.cpp. */
export function readNumber(file: GgufFile, key: string): number | undefined {
  const number = numberOf(file, key, anyNumber);
  return number === 0 ? undefined : number;
}

type Key = (name: string) => string;

function requireInteger(file: GgufFile, key: string): number {
  return integerOf(file, key, any) ?? failKey(file, key, "is missing");
}

function readExperts(file: GgufFile, key: Key): ExpertParameters | undefined {
  const count = integerOf(file, key("expert_count"), any) ?? 0;
  if (count === 0) return undefined;
  const used = integerOf(file, key("expert_used_count"), any) ?? 0;
  if (used < 1 || used > count) failKey(file, key("expert_used_count"), `is ${used} of ${count} experts`);
  const sharedFeedForward = integerOf(file, key("expert_shared_feed_forward_length"), any) ?? 0;
  return { count, used, sharedFeedForward };
}

function readEncoder(file: GgufFile, architecture: string): EncoderParameters {
  const labels = file.metadata.get(`${architecture}.classifier.output_labels`);
  return {
    tokenTypes: integerOf(file, "tokenizer.ggml.token_type_count", any) ?? 0,
    labels: isGgufArray(labels) ? labels.length : 1,
  };
}

/** Rows of the embedding table: as many as there are tokens. */
function readVocabularySize(file: GgufFile, architecture: string): number {
  const tokens = file.metadata.get("tokenizer.ggml.tokens");
  return isGgufArray(tokens) ? tokens.length : requireInteger(file, `${architecture}.vocab_size`);
}

function readEpsilon(file: GgufFile, key: Key, norm: NormOptions["kind"]): number {
  const name = key(norm === "rms" ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon");
  return numberOf(file, name, [0, 1]) ?? failKey(file, name, "is missing");
}

const poolings = ["none", "mean", "cls", "last", "rank"] as const;

function readPooling(file: GgufFile, key: string, { encoder }: FamilyOptions): Pooling {
  const pooling = poolings[integerOf(file, key, [-1, 4]) ?? -1];
  if (pooling !== "rank" || encoder) return pooling ?? (encoder ? "mean" : "none");
  throw new HearthError("model_unsupported", `${file.name} ranks texts without being an encoder; flint cannot.`, {
    hint: "Use the llama engine for this model.",
    details: { field: key },
  });
}
