/** Whole answers → bodies of responses that do not stream. */
import type { FinishReason } from "../../spec/event.ts";
import type { OverflowReceipt } from "../../spec/sampling.ts";
import type { Answer } from "../shared/collect.ts";
import { toReceiptBody } from "../shared/receipt.ts";
import type { ChatLogprobsBody, CompletionLogprobsBody } from "./logprobs.ts";
import { toChatLogprobs, toCompletionLogprobs } from "./logprobs.ts";
import type { PromptLogprobsBody } from "./prompt-logprobs.ts";
import { joinLogprobs, toEchoLogprobs, toPromptLogprobs } from "./prompt-logprobs.ts";
import type { TimingsBody, UsageBody } from "./usage.ts";
import { sumUsage, toTimingsBody, toUsageBody } from "./usage.ts";

/** What every body and chunk of one response has in common. */
export interface ResponseHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  /** How the request was served, where it named a tier: as batch work, or not. */
  readonly service_tier?: "flex" | "default";
}

export interface ResponseOptions {
  readonly head: ResponseHead;
  readonly n: number;
  readonly logprobs: boolean;
  /** So many of the likeliest tokens at each place of a repeated prompt; absent: it has no logprobs. */
  readonly echoLogprobs?: number | undefined;
  /** The same as vLLM's `prompt_logprobs`. */
  readonly promptLogprobs: number | undefined;
  readonly receipt: OverflowReceipt | undefined;
}

interface Extensions {
  readonly usage: UsageBody;
  readonly timings: TimingsBody;
  readonly hearth?: { readonly receipt: Readonly<Record<string, unknown>> };
}

export interface ChatResponse extends ResponseHead, Extensions {
  readonly object: "chat.completion";
  readonly prompt_logprobs?: PromptLogprobsBody;
  readonly choices: readonly {
    readonly index: number;
    readonly message: Readonly<Record<string, unknown>>;
    readonly logprobs: ChatLogprobsBody | null;
    readonly finish_reason: string;
  }[];
}

export interface CompletionResponse extends ResponseHead, Extensions {
  readonly object: "text_completion";
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    readonly logprobs: CompletionLogprobsBody | null;
    readonly finish_reason: string;
    readonly prompt_logprobs?: PromptLogprobsBody;
  }[];
}

const finishReasons: Readonly<Record<FinishReason, string>> = {
  stop: "stop",
  length: "length",
  "tool-calls": "tool_calls",
};

export function toFinishReason(reason: FinishReason): string {
  return finishReasons[reason];
}

export function toChatResponse(answers: readonly Answer[], options: ResponseOptions): ChatResponse {
  return {
    ...options.head,
    object: "chat.completion",
    choices: answers.map((answer) => ({
      index: answer.index,
      message: toMessageBody(answer),
      logprobs: options.logprobs ? toChatLogprobs(answer.logprobs) : null,
      finish_reason: toFinishReason(answer.reason),
    })),
    // All answers have one prompt.
    ...toPromptField(answers[0], options),
    ...toExtensions(answers, options),
  };
}

export function toCompletionResponse(answers: readonly Answer[], options: ResponseOptions): CompletionResponse {
  return {
    ...options.head,
    object: "text_completion",
    choices: answers.map((answer) => ({
      index: answer.index,
      text: answer.text,
      logprobs: options.logprobs ? toLogprobs(answer, options) : null,
      finish_reason: toFinishReason(answer.reason),
      ...toPromptField(answer, options),
    })),
    ...toExtensions(answers, options),
  };
}

function toLogprobs(answer: Answer, { echoLogprobs: count }: ResponseOptions): CompletionLogprobsBody {
  const { promptLogprobs, echo: text } = answer;
  const logprobs = toCompletionLogprobs(answer.logprobs, text.length);
  if (count === undefined || !promptLogprobs) return logprobs;
  return joinLogprobs(toEchoLogprobs(promptLogprobs, { text, count }), logprobs);
}

function toPromptField(
  answer: Answer | undefined,
  { promptLogprobs: count }: ResponseOptions,
): { readonly prompt_logprobs?: PromptLogprobsBody } {
  if (count === undefined || !answer?.promptLogprobs) return {};
  return { prompt_logprobs: toPromptLogprobs(answer.promptLogprobs, count) };
}

/** Reasoning goes under both names that clients look for: DeepSeek's and Ollama's. */
function toMessageBody({ text, reasoning, toolCalls }: Answer): Readonly<Record<string, unknown>> {
  return {
    role: "assistant",
    content: text === "" && toolCalls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning !== "" && { reasoning_content: reasoning, reasoning }),
    ...(toolCalls.length > 0 && {
      tool_calls: toolCalls.map((call) => ({
        id: call.id,
        type: "function",
        function: { name: call.name, arguments: call.arguments },
      })),
    }),
  };
}

function toExtensions(answers: readonly Answer[], { n, receipt }: ResponseOptions): Extensions {
  return {
    usage: toUsageBody(sumUsage(answers, n)),
    timings: toTimingsBody(answers, n),
    ...(receipt && { hearth: { receipt: toReceiptBody(receipt) } }),
  };
}
