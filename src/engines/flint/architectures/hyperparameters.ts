import type { Activation, NormOptions, RopeOptions } from "../graph/graph.ts";
import type { Tensors } from "./tensors.ts";

/** The figures of one layer. */
export interface LayerParameters {
  readonly heads: number;
  readonly keyHeads: number;
  /** Width between the two matrices of the feed-forward part; that of one expert where there are experts. */
  readonly feedForward: number;
  /** Rows that a row sees: see `AttentionOptions.window`. Absent: all. */
  readonly window?: number;
  /** Absent for layers without rotation. */
  readonly rope?: RopeOptions;
}

export interface ExpertParameters {
  readonly count: number;
  readonly used: number;
  /** Width of the feed-forward part that every token passes; 0: there is none. */
  readonly sharedFeedForward: number;
}

export interface EncoderParameters {
  /** Rows of the table of token types. */
  readonly tokenTypes: number;
  /** Scores of a reranker or classifier for one text. */
  readonly labels: number;
}

/**
 * What becomes of the hidden states of a text. `none`: logits, or with an encoder the states themselves. `mean`, `cls`,
 * `last`: one vector, which whoever runs the graph makes. `rank`: scores, which the graph gives as logits.
 */
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
  /** Of the feed-forward parts, where it differs within a family. */
  readonly activation?: Activation;
  readonly experts?: ExpertParameters;
  /** Whether attention and feed-forward read the same input. */
  readonly parallel?: boolean;
  /** Present for encoders: the graph gives hidden states, or for `rank` logits, and texts are no longer than in training. */
  readonly encoder?: EncoderParameters;
  /** Whether a token sees only those before it. If not, all tokens of a text must be in one step. */
  readonly causal: boolean;
  /** Whether the rows of a picture see each other, those after them too. */
  readonly picturesBothWays?: boolean;
  readonly pooling: Pooling;
  readonly tensors: Tensors;
}
