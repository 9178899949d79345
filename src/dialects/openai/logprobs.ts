import type { LogprobEntry, TokenLogprob } from "../../spec/event.ts";

interface TokenLogprobBody {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

export interface ChatLogprobsBody {
  readonly content: readonly (TokenLogprobBody & { readonly top_logprobs: readonly TokenLogprobBody[] })[];
  readonly refusal: null;
}

export interface CompletionLogprobsBody {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly number[];
  readonly top_logprobs: readonly Readonly<Record<string, number>>[];
  /** Where each token begins in the text, in UTF-16 units. */
  readonly text_offset: readonly number[];
}

export function toChatLogprobs(entries: readonly LogprobEntry[]): ChatLogprobsBody {
  return {
    content: entries.map((entry) => ({ ...toToken(entry), top_logprobs: entry.top.map(toToken) })),
    refusal: null,
  };
}

/** `offset`: length of the text before the first entry. */
export function toCompletionLogprobs(entries: readonly LogprobEntry[], offset: number): CompletionLogprobsBody {
  const offsets: number[] = [];
  let position = offset;
  for (const { text } of entries) {
    offsets.push(position);
    position += text.length;
  }
  return {
    tokens: entries.map(({ text }) => text),
    token_logprobs: entries.map(({ logprob }) => finite(logprob)),
    top_logprobs: entries.map(({ top }) => Object.fromEntries(top.map(({ text, logprob }) => [text, finite(logprob)]))),
    text_offset: offsets,
  };
}

function toToken({ text, logprob, bytes }: TokenLogprob): TokenLogprobBody {
  return { token: text, logprob: finite(logprob), bytes };
}

/** JSON has no -Infinity; OpenAI writes -9999 for a token that cannot be. */
function finite(logprob: number): number {
  return Number.isFinite(logprob) ? logprob : -9999;
}
