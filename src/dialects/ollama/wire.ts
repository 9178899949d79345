/** The objects that Ollama's clients read. Durations are nanoseconds, times RFC 3339. */
import { HearthError } from "../../error.ts";
import type { LogprobEntry } from "../../spec/event.ts";
import type { ToolCall } from "../../spec/message.ts";
import type { Timings, Usage } from "../../spec/usage.ts";

export interface WireToolCall {
  readonly id: string;
  readonly function: { readonly index: number; readonly name: string; readonly arguments: object };
}

interface WireToken {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

export interface WireLogprob extends WireToken {
  readonly top_logprobs?: readonly WireToken[];
}

export interface WireMetrics {
  readonly total_duration: number;
  readonly load_duration: number;
  readonly prompt_eval_count: number;
  readonly prompt_eval_duration: number;
  readonly eval_count: number;
  readonly eval_duration: number;
}

export function nanoseconds(ms: number): number {
  return Math.max(0, Math.round(ms * 1e6));
}

export function toMetrics(usage: Usage, timings: Timings): WireMetrics {
  return {
    total_duration: nanoseconds(timings.totalMs),
    load_duration: nanoseconds(timings.loadMs),
    prompt_eval_count: usage.promptTokens,
    prompt_eval_duration: nanoseconds(timings.promptMs),
    eval_count: usage.completionTokens,
    eval_duration: nanoseconds(timings.generateMs),
  };
}

/** Nothing when `topLogprobs` is undefined; without alternatives when it is 0. */
export function toLogprobs(
  entries: readonly LogprobEntry[] | undefined,
  topLogprobs: number | undefined,
): readonly WireLogprob[] {
  if (topLogprobs === undefined || !entries) return [];
  return entries.map((entry) => ({
    ...toToken(entry),
    ...(topLogprobs > 0 ? { top_logprobs: entry.top.map(toToken) } : {}),
  }));
}

function toToken({ text, logprob, bytes }: Omit<LogprobEntry, "top" | "token">): WireToken {
  return { token: text, logprob, bytes };
}

/** Throws `engine_failed` for arguments that are no JSON object: clients cannot read anything else. */
export function toToolCall({ id, name, arguments: text }: ToolCall, index: number): WireToolCall {
  let value: unknown;
  try {
    value = JSON.parse(text === "" ? "{}" : text);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return { id, function: { index, name, arguments: value } };
  throw new HearthError("engine_failed", `The model wrote arguments for the tool "${name}" that are no JSON object.`, {
    hint: "Try again, or use a model that is better at calling tools.",
  });
}

export function timestamp(): string {
  return new Date().toISOString();
}
