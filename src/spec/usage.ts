/** Token counts of one generation. */
export interface Usage {
  readonly promptTokens: number;
  /** Part of the prompt that was found in the KV cache. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** Durations of one request, milliseconds. */
export interface Timings {
  /** Waiting for a turn. */
  readonly queueMs: number;
  /** Loading the model; 0 when it was loaded. */
  readonly loadMs: number;
  readonly promptMs: number;
  readonly generateMs: number;
  readonly totalMs: number;
}

export function tokensPerSecond(tokens: number, ms: number): number {
  return ms > 0 ? (tokens * 1000) / ms : 0;
}
