/** Token counts and timings in wire spelling. */
import type { Timings, Usage } from "../../spec/usage.ts";
import { tokensPerSecond } from "../../spec/usage.ts";

export interface UsageBody {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** llama.cpp's extension: how long the prompt and the answer took. */
export interface TimingsBody {
  readonly cache_n: number;
  readonly prompt_n: number;
  readonly prompt_ms: number;
  readonly prompt_per_second: number;
  readonly predicted_n: number;
  readonly predicted_ms: number;
  readonly predicted_per_second: number;
}

export interface Measured {
  readonly index: number;
  readonly usage: Usage;
  readonly timings: Timings;
}

/** Sum over the answers of one request. The n answers to one prompt share it, so it counts once. */
export function sumUsage(answers: readonly Measured[], n: number): Usage {
  const firsts = answers.filter((answer) => answer.index % n === 0);
  return {
    promptTokens: sum(firsts.map(({ usage }) => usage.promptTokens)),
    cachedTokens: sum(firsts.map(({ usage }) => usage.cachedTokens)),
    completionTokens: sum(answers.map(({ usage }) => usage.completionTokens)),
  };
}

export function toUsageBody({ promptTokens, cachedTokens, completionTokens }: Usage): UsageBody {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** Answers run at the same time: durations are those of the slowest. */
export function toTimingsBody(answers: readonly Measured[], n: number): TimingsBody {
  const usage = sumUsage(answers, n);
  const promptMs = Math.max(0, ...answers.map(({ timings }) => timings.promptMs));
  const generateMs = Math.max(0, ...answers.map(({ timings }) => timings.generateMs));
  const promptTokens = usage.promptTokens - usage.cachedTokens;
  return {
    cache_n: usage.cachedTokens,
    prompt_n: promptTokens,
    prompt_ms: promptMs,
    prompt_per_second: tokensPerSecond(promptTokens, promptMs),
    predicted_n: usage.completionTokens,
    predicted_ms: generateMs,
    predicted_per_second: tokensPerSecond(usage.completionTokens, generateMs),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
