import { HearthError } from "../../error.ts";
import type { ChatEvent, FinishReason, LogprobEntry, PromptLogprobs } from "../../spec/event.ts";
import type { ToolCall } from "../../spec/message.ts";
import type { Timings, Usage } from "../../spec/usage.ts";
import type { StartEvent } from "./start.ts";

/** One whole answer. */
export interface Answer {
  readonly index: number;
  /** With the prompt before it where that was asked for. */
  readonly text: string;
  /** That part of the text which is the prompt. */
  readonly echo: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly logprobs: readonly LogprobEntry[];
  readonly promptLogprobs: PromptLogprobs | undefined;
  readonly reason: FinishReason;
  readonly stopString: string | undefined;
  readonly usage: Usage;
  readonly timings: Timings;
}

interface Draft {
  text: string;
  echo: string;
  reasoning: string;
  promptLogprobs: PromptLogprobs | undefined;
  readonly toolCalls: ToolCall[];
  readonly logprobs: LogprobEntry[];
  finish: Extract<ChatEvent, { type: "finish" }> | undefined;
}

/** Reads events to their end and puts the answers together, in the order of their index. */
export async function collectAnswers(
  events: AsyncIterable<ChatEvent>,
  onStart?: (event: StartEvent) => void,
): Promise<readonly Answer[]> {
  const drafts = new Map<number, Draft>();
  for await (const event of events) {
    if (event.type === "start") {
      onStart?.(event);
      continue;
    }
    let draft = drafts.get(event.index);
    if (!draft) {
      draft = emptyDraft();
      drafts.set(event.index, draft);
    }
    addEvent(draft, event);
  }
  if (drafts.size === 0) throw new HearthError("internal", "A generation ended without an answer.");
  return [...drafts].sort(([a], [b]) => a - b).map(([index, draft]) => toAnswer(index, draft));
}

function emptyDraft(): Draft {
  return {
    text: "",
    echo: "",
    reasoning: "",
    promptLogprobs: undefined,
    toolCalls: [],
    logprobs: [],
    finish: undefined,
  };
}

function addEvent(draft: Draft, event: Exclude<ChatEvent, { type: "start" }>): void {
  switch (event.type) {
    case "prompt-logprobs":
      draft.promptLogprobs = event.logprobs;
      return;
    case "text-delta":
      draft.text += event.text;
      if (event.echo) draft.echo += event.text;
      if (event.logprobs) draft.logprobs.push(...event.logprobs);
      return;
    case "reasoning-delta":
      draft.reasoning += event.text;
      return;
    case "tool-call-end":
      draft.toolCalls.push({ id: event.id, name: event.name, arguments: event.arguments });
      return;
    case "finish":
      draft.finish = event;
      return;
    case "tool-call-start":
    case "tool-call-delta":
      return;
  }
}

function toAnswer(index: number, { finish, ...draft }: Draft): Answer {
  if (!finish) throw new HearthError("internal", `Answer ${index} has no finish event.`);
  const { reason, stopString, usage, timings } = finish;
  return { index, ...draft, reason, stopString, usage, timings };
}
