import type { ChatEvent, FinishReason } from "../../spec/event.ts";
import type { ToolCall } from "../../spec/message.ts";
import type { OverflowReceipt } from "../../spec/sampling.ts";
import { tokensPerSecond, type Timings, type Usage } from "../../spec/usage.ts";
import { formatDuration } from "../../util/format.ts";

/** What has arrived of an answer; complete when `finishReason` is there. `run --json` prints it. */
export interface Answer {
  model: string;
  text: string;
  reasoning?: string;
  toolCalls?: ToolCall[];
  finishReason?: FinishReason;
  usage?: Usage;
  timings?: Timings;
  receipt?: OverflowReceipt;
}

export interface AnswerSink {
  readonly onText: (text: string) => void;
  readonly onReasoning: (text: string) => void;
}

/** Reads the events of one completion into `answer`, which holds what came also when the stream throws. */
export async function readAnswer(events: AsyncIterable<ChatEvent>, answer: Answer, sink: AnswerSink): Promise<void> {
  for await (const event of events) {
    switch (event.type) {
      case "start":
        answer.model = event.model;
        if (event.receipt) answer.receipt = event.receipt;
        break;
      case "prompt-logprobs":
        break;
      case "text-delta":
        answer.text += event.text;
        sink.onText(event.text);
        break;
      case "reasoning-delta":
        answer.reasoning = (answer.reasoning ?? "") + event.text;
        sink.onReasoning(event.text);
        break;
      case "tool-call-start":
      case "tool-call-delta":
        break;
      case "tool-call-end":
        (answer.toolCalls ??= []).push({ id: event.id, name: event.name, arguments: event.arguments });
        break;
      case "finish":
        answer.finishReason = event.reason;
        answer.usage = event.usage;
        answer.timings = event.timings;
        break;
    }
  }
}

/** What a person must hear about an answer besides its text. */
export function answerNotes({ receipt, finishReason, usage }: Answer): string[] {
  const notes: string[] = [];
  if (receipt) {
    const { droppedTokens, droppedMessages, policy } = receipt;
    notes.push(`The prompt did not fit: ${policy} dropped ${droppedTokens} tokens of ${droppedMessages} messages.`);
  }
  if (finishReason === "length") notes.push(`The answer was cut off after ${usage?.completionTokens ?? 0} tokens.`);
  return notes;
}

/** `--verbose`: durations and rates, one line each. */
export function answerRates({ usage, timings }: Answer): readonly (readonly [string, string])[] {
  if (!usage || !timings) return [];
  const fresh = usage.promptTokens - usage.cachedTokens;
  const rate = (tokens: number, ms: number): string => `${tokensPerSecond(tokens, ms).toFixed(1)} tokens/s`;
  return [
    ["total", formatDuration(timings.totalMs)],
    ["queue", formatDuration(timings.queueMs)],
    ["load", formatDuration(timings.loadMs)],
    ["prompt", `${usage.promptTokens} tokens, ${usage.cachedTokens} of them cached`],
    ["prompt rate", `${rate(fresh, timings.promptMs)} (${formatDuration(timings.promptMs)})`],
    ["answer", `${usage.completionTokens} tokens`],
    ["answer rate", `${rate(usage.completionTokens, timings.generateMs)} (${formatDuration(timings.generateMs)})`],
  ];
}
