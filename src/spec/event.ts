import type { OverflowReceipt } from "./sampling.ts";
import type { Timings, Usage } from "./usage.ts";

export interface TokenText {
  readonly token: number;
  readonly text: string;
  readonly bytes: readonly number[];
}

export interface TokenLogprob extends TokenText {
  /** Natural logarithm of the probability. */
  readonly logprob: number;
}

/** The chosen token and the most likely ones at its place. */
export interface LogprobEntry extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
}

/** A token of a prompt, given those before it. */
export interface PromptLogprob extends LogprobEntry {
  /** Its place among all tokens; 1 is the likeliest. Absent where an engine knows it of the `top` ones only. */
  readonly rank?: number;
}

/** How likely a prompt is, token by token. */
export interface PromptLogprobs {
  /** Nothing comes before it, so it has no probability. */
  readonly first: TokenText;
  /** All that follow. */
  readonly entries: readonly PromptLogprob[];
}

export type FinishReason = "stop" | "length" | "tool-calls";

/**
 * What an engine's `generate` yields: `prompt-start` once the request is accepted and has its turn, `prompt-end`, any
 * number of `token-delta`, `finish`. What an engine refuses it throws before `prompt-start`.
 */
export type GenerateEvent =
  | { readonly type: "prompt-start"; readonly promptTokens: number }
  | {
      readonly type: "prompt-end";
      readonly promptTokens: number;
      readonly cachedTokens: number;
      readonly promptMs: number;
    }
  | {
      readonly type: "token-delta";
      /** Whole characters only; may be empty while a character is incomplete. */
      readonly text: string;
      readonly tokens: readonly number[];
      readonly logprobs?: readonly LogprobEntry[];
    }
  | {
      readonly type: "finish";
      readonly reason: "stop" | "length";
      /** The stop string that ended it; not part of the text. */
      readonly stopString?: string;
      readonly usage: Usage;
      readonly promptMs: number;
      readonly generateMs: number;
    };

/** What `tasks/chat` and `tasks/complete` yield. `index` tells the n completions of one request apart. */
export type ChatEvent =
  | { readonly type: "start"; readonly model: string; readonly receipt?: OverflowReceipt }
  /** Before all else of a completion, where `promptLogprobs` asked for it. */
  | { readonly type: "prompt-logprobs"; readonly index: number; readonly logprobs: PromptLogprobs }
  | {
      readonly type: "text-delta";
      readonly index: number;
      readonly text: string;
      /** It is the prompt, which `echo` puts before the answer. */
      readonly echo?: true;
      readonly logprobs?: readonly LogprobEntry[];
    }
  | { readonly type: "reasoning-delta"; readonly index: number; readonly text: string }
  | {
      readonly type: "tool-call-start";
      readonly index: number;
      readonly callIndex: number;
      readonly id: string;
      readonly name: string;
    }
  | {
      readonly type: "tool-call-delta";
      readonly index: number;
      readonly callIndex: number;
      readonly argumentsDelta: string;
    }
  | {
      readonly type: "tool-call-end";
      readonly index: number;
      readonly callIndex: number;
      readonly id: string;
      readonly name: string;
      /** The whole arguments object as JSON text. */
      readonly arguments: string;
    }
  | {
      readonly type: "finish";
      readonly index: number;
      readonly reason: FinishReason;
      readonly stopString?: string;
      readonly usage: Usage;
      readonly timings: Timings;
    };
