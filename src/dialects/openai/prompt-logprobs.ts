/** How likely a prompt is, as OpenAI's first completions API says it (`echo`), and as vLLM does (`prompt_logprobs`). */
import type { PromptLogprob, PromptLogprobs, TokenText } from "../../spec/event.ts";
import type { CompletionLogprobsBody } from "./logprobs.ts";
import { finite, toCompletionLogprobs } from "./logprobs.ts";

/** For each token of the prompt: token id → what is known of it. null for the first. */
export type PromptLogprobsBody = readonly (Readonly<Record<string, RankedBody>> | null)[];

interface RankedBody {
  readonly logprob: number;
  /** 1 is the likeliest; null where the engine does not know it. */
  readonly rank: number | null;
  readonly decoded_token: string;
}

/** The token itself and the `count` likeliest at its place. */
export function toPromptLogprobs({ entries }: PromptLogprobs, count: number): PromptLogprobsBody {
  return [null, ...entries.map((entry) => toRanked(entry, count))];
}

function toRanked(entry: PromptLogprob, count: number): Readonly<Record<string, RankedBody>> {
  const body = ({ text, logprob }: TokenText & { readonly logprob: number }, rank: number | null): RankedBody => ({
    logprob: finite(logprob),
    rank,
    decoded_token: text,
  });
  const top = entry.top.slice(0, count).map((other, index) => [other.token, body(other, index + 1)] as const);
  return Object.fromEntries([[entry.token, body(entry, entry.rank ?? null)] as const, ...top]);
}

/** `text` is the prompt as the answer repeats it, `count` how many of the likeliest tokens are shown. */
export function toEchoLogprobs(
  { first, entries }: PromptLogprobs,
  { text, count }: { readonly text: string; readonly count: number },
): CompletionLogprobsBody {
  const rest = toCompletionLogprobs(
    entries.map((entry) => ({ ...entry, top: entry.top.slice(0, count) })),
    0,
  );
  return {
    tokens: [first.text, ...rest.tokens],
    token_logprobs: [null, ...rest.token_logprobs],
    top_logprobs: [null, ...rest.top_logprobs],
    text_offset: findOffsets([first, ...entries], text.toWellFormed()),
  };
}

export function joinLogprobs(prompt: CompletionLogprobsBody, answer: CompletionLogprobsBody): CompletionLogprobsBody {
  return {
    tokens: [...prompt.tokens, ...answer.tokens],
    token_logprobs: [...prompt.token_logprobs, ...answer.token_logprobs],
    top_logprobs: [...prompt.top_logprobs, ...answer.top_logprobs],
    text_offset: [...prompt.text_offset, ...answer.text_offset],
  };
}

/** The token that begins every text is not in the text, even where that spells its name. */
function findOffsets(tokens: readonly TokenText[], text: string): readonly number[] {
  const [, ...rest] = tokens;
  const without = align(rest, text);
  return without.end === text.length ? [0, ...without.offsets] : align(tokens, text).offsets;
}

interface Alignment {
  readonly offsets: readonly number[];
  /** How much of the text the tokens make up. */
  readonly end: number;
}

/** A token that has but a part of a character begins where the character does. */
function align(tokens: readonly TokenText[], text: string): Alignment {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let end = 0;
  const offsets = tokens.map(({ bytes }) => {
    const start = end;
    end += shownLength(decoder.decode(Uint8Array.from(bytes), { stream: true }), text, start);
    return start;
  });
  return { offsets, end };
}

/** How much of a token the text shows: not control tokens, nor the space that some vocabularies put before a text. */
function shownLength(piece: string, text: string, at: number): number {
  if (text.startsWith(piece, at)) return piece.length;
  return piece.startsWith(" ") && text.startsWith(piece.slice(1), at) ? piece.length - 1 : 0;
}
