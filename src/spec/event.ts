import type { OverflowReceipt } from "./sampling.ts";
import type { Timings, Usage } from "./usage.ts";

export interface TokenLogprob {
  readonly token: number;
  readonly text: string;
  /** Natural logarithm of the probability. */
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** The chosen token and the most likely ones at its place. */
export interface LogprobEntry extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
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
  | {
      readonly type: "text-delta";
      readonly index: number;
      readonly text: string;
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
