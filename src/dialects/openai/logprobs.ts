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
  /** null for the first token of a prompt: nothing comes before it. */
  readonly token_logprobs: readonly (number | null)[];
  /** The token itself is always among them, so there may be one more than was asked for. */
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
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
    top_logprobs: entries.map(toTop),
    text_offset: offsets,
  };
}

/** Of several tokens with one text the likeliest counts. */
function toTop(entry: LogprobEntry): Readonly<Record<string, number>> {
  const top = new Map<string, number>();
  for (const { text, logprob } of [...entry.top, entry]) if (!top.has(text)) top.set(text, finite(logprob));
  return Object.fromEntries(top);
}

function toToken({ text, logprob, bytes }: TokenLogprob): TokenLogprobBody {
  return { token: text, logprob: finite(logprob), bytes };
}

/** JSON has no -Infinity; OpenAI writes -9999 for a token that cannot be. */
export function finite(logprob: number): number {
  return Number.isFinite(logprob) ? logprob : -9999;
}
