/** Figures of many numbers. */

export interface Mean {
  readonly value: number;
  /** Standard error. */
  readonly error: number;
}

export function meanOf(values: ArrayLike<number>): Mean {
  const count = values.length;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i] ?? 0;
  const value = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += ((values[i] ?? 0) - value) ** 2;
  return { value, error: Math.sqrt(squares / count / Math.max(1, count - 1)) };
}

/** exp of the mean of negative logprobs, as `llama-perplexity` counts it. */
export function perplexityOf(logprobs: ArrayLike<number>): Mean {
  const { value, error } = meanOf(logprobs);
  const perplexity = Math.exp(-value);
  return { value: perplexity, error: perplexity * error };
}

export interface Quantile {
  /** 0 to 1. */
  readonly part: number;
  readonly value: number;
}

export function quantilesOf(values: Float64Array, parts: readonly number[]): Quantile[] {
  const sorted = values.toSorted();
  return parts.map((part) => ({ part, value: sorted[Math.round(part * (sorted.length - 1))] ?? 0 }));
}
