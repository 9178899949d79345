import type { OutputEvent, OutputStage } from "./event.ts";
import { openLength } from "./hold.ts";

/** The markers around the thoughts of a model. */
export interface ReasoningTags {
  readonly open: string;
  readonly close: string;
}

export const reasoningTags: readonly ReasoningTags[] = [
  { open: "<think>", close: "</think>" },
  { open: "<thinking>", close: "</thinking>" },
  { open: "<thought>", close: "</thought>" },
  { open: "<reasoning>", close: "</reasoning>" },
  { open: "<seed:think>", close: "</seed:think>" },
  { open: "[THINK]", close: "[/THINK]" },
  { open: "<|START_THINKING|>", close: "<|END_THINKING|>" },
  { open: "◁think▷", close: "◁/think▷" },
];

/** The pairs that a template mentions; those of `<think>` when it mentions none. */
export function detectReasoning(template: string): readonly ReasoningTags[] {
  const mentioned = reasoningTags.filter(({ open, close }) => template.includes(open) || template.includes(close));
  return mentioned.length > 0 ? mentioned : reasoningTags.slice(0, 1);
}

/** The pair that a rendered prompt left open: the answer begins inside the thoughts. */
export function openReasoning(prompt: string): ReasoningTags | undefined {
  const tail = prompt.trimEnd();
  return reasoningTags.find(({ open }) => tail.endsWith(open));
}

/** White space that is held back at most; a model that writes nothing else for ever must not cost quadratic time. */
const longestSpace = 4096;

function trimEnd(text: string): string {
  const shown = text.trimEnd();
  return text.slice(0, Math.max(shown.length, text.length - longestSpace));
}

export interface ReasoningOptions {
  readonly tags: readonly ReasoningTags[];
  /** The prompt ends inside the thoughts. */
  readonly inside?: ReasoningTags | undefined;
  /** Takes the text after the thoughts. */
  readonly next: OutputStage;
}

/**
 * Splits the thoughts off the beginning of the answer. Only thoughts at the very beginning count: an answer that writes
 * about `<think>` is text. White space between the markers and the text belongs to neither.
 */
export function createReasoningStage({ tags, inside, next }: ReasoningOptions): OutputStage {
  const openers = tags.map(({ open }) => open);
  let tag = inside;
  let state: "before" | "inside" | "after-thought" | "answer" = inside ? "inside" : "before";
  let held = "";
  let thought = false;

  const answer = (): OutputEvent[] => {
    state = "answer";
    const text = held;
    held = "";
    return next.push(text);
  };

  const before = (final: boolean): OutputEvent[] | undefined => {
    const text = held.trimStart();
    if (held.length - text.length > longestSpace) return answer();
    const opened = tags.find(({ open }) => text.startsWith(open));
    if (opened) {
      tag = opened;
      held = text.slice(opened.open.length);
      state = "inside";
      return undefined;
    }
    const mayOpen = openers.some((open) => open.startsWith(text));
    return mayOpen && !final ? [] : answer();
  };

  const think = (final: boolean): OutputEvent[] | undefined => {
    const close = tag?.close ?? "";
    const at = held.indexOf(close);
    if (at >= 0) {
      const events = thoughtEvents(trimEnd(held.slice(0, at)));
      held = held.slice(at + close.length);
      state = "after-thought";
      return [...events, ...run(final)];
    }
    const keep = final ? 0 : openLength(held, [close]);
    // White space is held back until it is known whether it is the end of the thoughts.
    const shown = trimEnd(held.slice(0, held.length - keep));
    held = held.slice(shown.length);
    if (!thought && shown === "") held = held.trimStart();
    if (final) held = "";
    return thoughtEvents(shown);
  };

  const thoughtEvents = (text: string): OutputEvent[] => {
    const shown = thought ? text : text.trimStart();
    if (shown === "") return [];
    thought = true;
    return [{ type: "reasoning-delta", text: shown }];
  };

  const run = (final: boolean): OutputEvent[] => {
    for (;;) {
      let events: OutputEvent[] | undefined;
      if (state === "before") events = before(final);
      else if (state === "inside") events = think(final);
      else if (state === "after-thought") {
        held = held.trimStart();
        if (held === "") return [];
        events = answer();
      } else events = answer();
      if (events) return events;
    }
  };

  return {
    push(text) {
      held += text;
      return run(false);
    },
    end() {
      return [...run(true), ...next.end()];
    },
  };
}

/** Splits a whole text, e.g. what a client sent back as an earlier answer. */
export function splitReasoning(text: string): { readonly reasoning: string; readonly text: string } {
  const trimmed = text.trimStart();
  const tag = reasoningTags.find(({ open }) => trimmed.startsWith(open));
  const end = tag ? trimmed.indexOf(tag.close) : -1;
  if (!tag || end < 0) return { reasoning: "", text };
  return {
    reasoning: trimmed.slice(tag.open.length, end).trim(),
    text: trimmed.slice(end + tag.close.length).trimStart(),
  };
}
