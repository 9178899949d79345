/** What is found out about a model. */
import type { Mean, Quantile } from "./statistics.ts";

export interface SizeFacts {
  /** Of the weights. */
  readonly dataBytes: number;
  readonly weights: number;
  readonly bitsPerWeight: number;
  /** Weights of each type. */
  readonly types: Readonly<Record<string, number>>;
  /** The importance matrix that it was quantized with, if the file names one. */
  readonly importance?: string;
}

export interface TextFacts {
  readonly name: string;
  /** Windows of so many tokens, the second half of each scored. */
  readonly windows: number;
  readonly windowTokens: number;
  readonly scoredTokens: number;
}

/** How far a model's probabilities are from those of a reference, at each scored place. */
export interface DivergenceFacts {
  readonly reference: string;
  readonly referenceSize: SizeFacts;
  readonly referencePerplexity: Mean;
  /** Kullback-Leibler divergence of the model from the reference, in nats. */
  readonly divergence: Mean;
  readonly quantiles: readonly Quantile[];
  /** Part of the places at which both hold the same token for the likeliest. */
  readonly agreement: Mean;
}

export interface ChoiceFacts {
  readonly name: string;
  readonly questions: number;
  /** Part of them that were answered right. */
  readonly accuracy: Mean;
}

export interface SpeedFacts {
  readonly threads: number;
  /** Tokens per second, of texts and of answers. */
  readonly textRate: number;
  readonly answerRate: number;
  /** Weights, cache and working memory. */
  readonly memoryBytes: number;
}

export interface Evaluation {
  readonly model: string;
  readonly size: SizeFacts;
  readonly text: TextFacts;
  readonly perplexity: Mean;
  readonly comparison?: DivergenceFacts;
  readonly choices?: ChoiceFacts;
  readonly speed: SpeedFacts;
}
