import { booleanOf, failKey, integerOf, integersOf, numberOf } from "../../../formats/gguf/check.ts";
import { isGgufArray } from "../../../formats/gguf/types.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { NormOptions, RopeOptions } from "../graph/graph.ts";
import { readLocalRope, readRope } from "./rope.ts";
import type { Tensors } from "./tensors.ts";
import { createTensors } from "./tensors.ts";

/** The figures of one layer. */
export interface LayerParameters {
  readonly heads: number;
  readonly keyHeads: number;
  /** Width between the two matrices of the feed-forward part; that of one expert where there are experts. */
  readonly feedForward: number;
  /** Rows that a row sees: see `AttentionOptions.window`. Absent: all. */
  readonly window?: number;
  /** Absent for layers without positions. */
  readonly rope?: RopeOptions;
}

export interface ExpertParameters {
  readonly count: number;
  readonly used: number;
  /** Width of the feed-forward part that every token passes; 0: there is none. */
  readonly sharedFeedForward: number;
  /** The weights of the chosen experts are multiplied by this. */
  readonly scale?: number;
}

/** How the hidden states of a text become one vector; `rank`: its first token (encoders) or its last one gives scores. */
export type Pooling = "none" | "mean" | "cls" | "last" | "rank";

/** All figures of a model, from its header. Widths are in elements. */
export interface Hyperparameters {
  readonly architecture: string;
  readonly embedding: number;
  readonly layers: readonly LayerParameters[];
  readonly headWidth: number;
  readonly valueWidth: number;
  readonly vocabularySize: number;
  readonly trainContextTokens: number;
  readonly norm: Pick<NormOptions, "kind" | "epsilon">;
  /** Scores are queries · keys times this. */
  readonly attentionScale: number;
  readonly attentionSoftCap?: number;
  readonly logitSoftCap?: number;
  /** Embeddings, the outputs of both halves of a layer, and logits are multiplied by these. */
  readonly embeddingScale?: number;
  readonly residualScale?: number;
  readonly logitScale?: number;
  readonly experts?: ExpertParameters;
  readonly causal: boolean;
  readonly pooling: Pooling;
  readonly tensors: Tensors;
}

/** What a family says about its models. */
export interface FamilyOptions {
  /** Tokens of one sequence that the model is loaded for; LongRoPE chooses its factors by them. Default: those of the training. */
  readonly contextTokens?: number | undefined;
  readonly norm: NormOptions["kind"];
  readonly rope?: RopeOptions["pairing"];
  /** The family may have `rope_freqs` or `rope_factors_*`. */
  readonly ropeFactors?: boolean;
  /** Layers with a sliding window, the default of its size, and whether they have a rope of their own. */
  readonly window?: {
    readonly isLocal: (layer: number) => boolean;
    readonly size?: number;
    readonly ownRope?: boolean;
  };
  /** Layers that have no rope. */
  readonly withoutRope?: (layer: number) => boolean;
  /** Default of `attention.causal`. */
  readonly causal?: boolean;
}

const any = [0, 2 ** 31] as const;
const anyNumber = [-3.4e38, 3.4e38] as const;

/**
 * Reads the keys `<architecture>.*` with the defaults of llama.cpp. `validateForEngine` has checked their types and
 * ranges; here is what only a graph needs. Throws `model_malformed` with {field, offset}.
 */
export function readHyperparameters(file: GgufFile, options: FamilyOptions): Hyperparameters {
  const architecture = String(file.metadata.get("general.architecture"));
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
    layers: readLayers(source, { options, heads, experts }),
    headWidth,
    valueWidth: integerOf(file, key("attention.value_length"), any) ?? byDefault,
    vocabularySize: readVocabularySize(file, architecture),
    trainContextTokens,
    norm: { kind: options.norm, epsilon: readEpsilon(file, key, options.norm) },
    attentionScale: numberOf(file, key("attention.scale"), anyNumber) || 1 / Math.sqrt(headWidth),
    ...(experts && { experts }),
    causal: booleanOf(file, key("attention.causal")) ?? options.causal ?? true,
    pooling: readPooling(file, key("pooling_type")),
    tensors,
  };
}

/** A number of the header that a family needs beyond the usual; 0 counts as absent. */
export function readNumber(file: GgufFile, architecture: string, name: string): number | undefined {
  return numberOf(file, `${architecture}.${name}`, anyNumber) || undefined;
}

type Key = (name: string) => string;

function requireInteger(file: GgufFile, key: string): number {
  return integerOf(file, key, any) ?? failKey(file, key, "is missing");
}

interface Heads {
  readonly layers: number;
  readonly heads: readonly number[];
  readonly keyHeads: readonly number[];
}

function readHeads(file: GgufFile, architecture: string): Heads {
  const key = (name: string): string => `${architecture}.attention.${name}`;
  const layers = requireInteger(file, `${architecture}.block_count`);
  const heads = perLayer(file, key("head_count"), layers) ?? failKey(file, key("head_count"), "is missing");
  const keyHeads = perLayer(file, key("head_count_kv"), layers) ?? heads;
  for (let layer = 0; layer < layers; layer++) {
    const [count, keyCount] = [heads[layer] ?? 0, keyHeads[layer] ?? 0];
    if (count === 0) failKey(file, key("head_count"), `is 0 in layer ${layer}`);
    if (keyCount === 0 || count % keyCount !== 0) {
      failKey(file, key("head_count_kv"), `is ${keyCount} in layer ${layer}; it must divide the ${count} heads`);
    }
  }
  return { layers, heads, keyHeads };
}

/** One value for each layer. */
function perLayer(file: GgufFile, key: string, layers: number): readonly number[] | undefined {
  const value = integersOf(file, key, any);
  if (value === undefined) return undefined;
  if (typeof value === "number") return Array.from({ length: layers }, () => value);
  if (value.length !== layers) failKey(file, key, `has ${value.length} elements, but there are ${layers} layers`);
  return value;
}

interface LayerSource {
  readonly options: FamilyOptions;
  readonly heads: Heads;
  readonly experts: ExpertParameters | undefined;
}

function readLayers(
  source: Omit<Parameters<typeof readRope>[0], "pairing">,
  { options, heads, experts }: LayerSource,
): LayerParameters[] {
  const { file, architecture } = source;
  const factors = options.ropeFactors ?? false;
  const global = options.rope && readRope({ ...source, pairing: options.rope, factors });
  const local = options.window?.ownRope && global ? readLocalRope(global, file, architecture) : global;
  const window = options.window && readWindow(file, architecture, options.window.size);
  const feedForward = readFeedForward(file, architecture, { layers: heads.layers, experts });
  return heads.heads.map((count, layer) => {
    const isLocal = options.window?.isLocal(layer) ?? false;
    const rope = options.withoutRope?.(layer) ? undefined : isLocal ? local : global;
    return {
      heads: count,
      keyHeads: heads.keyHeads[layer] ?? 0,
      feedForward: feedForward[layer] ?? 0,
      ...(isLocal && window !== undefined && { window }),
      ...(rope && { rope }),
    };
  });
}

function readWindow(file: GgufFile, architecture: string, byDefault: number | undefined): number {
  const key = `${architecture}.attention.sliding_window`;
  const window = integerOf(file, key, any) ?? byDefault ?? failKey(file, key, "is missing");
  if (window === 0) failKey(file, key, "is 0; a token must see itself");
  return window;
}

function readFeedForward(
  file: GgufFile,
  architecture: string,
  { layers, experts }: { readonly layers: number; readonly experts: ExpertParameters | undefined },
): readonly number[] {
  const dense = perLayer(file, `${architecture}.feed_forward_length`, layers) ?? [];
  if (!experts) return dense;
  return perLayer(file, `${architecture}.expert_feed_forward_length`, layers) ?? dense;
}

function readExperts(file: GgufFile, key: Key): ExpertParameters | undefined {
  const count = integerOf(file, key("expert_count"), any) ?? 0;
  if (count === 0) return undefined;
  const used = integerOf(file, key("expert_used_count"), any) ?? 0;
  if (used < 1 || used > count) failKey(file, key("expert_used_count"), `is ${used} of ${count} experts`);
  const scale = numberOf(file, key("expert_weights_scale"), anyNumber) ?? 0;
  const sharedFeedForward = integerOf(file, key("expert_shared_feed_forward_length"), any) ?? 0;
  return { count, used, sharedFeedForward, ...(scale !== 0 && scale !== 1 && { scale }) };
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

function readPooling(file: GgufFile, key: string): Pooling {
  return poolings[integerOf(file, key, [-1, 4]) ?? 0] ?? "none";
}
