import type { DryPlan, PenaltyPlan, SamplingPlan } from "./plan.ts";

/** What penalties know of the tokens so far: prompt and answer. Holds no more of them than the plan looks back on. */
export interface History {
  /** The newest last; only the first `length` are set. */
  tokens: Int32Array;
  length: number;
  /** How often each token occurs among the last ones that the repetition penalties count. */
  readonly counts: Map<number, number>;
  /** Tokens since the last sequence breaker. */
  sinceBreaker: number;
  /** The last bytes, in which a breaker may have begun. */
  tail: string;
}

/** The bytes a token stands for; undefined: it is no text. */
export type TokenBytes = (token: number) => Uint8Array | undefined;

export function createHistory(): History {
  return { tokens: new Int32Array(64), length: 0, counts: new Map(), sinceBreaker: 0, tail: "" };
}

export function cloneHistory(history: History): History {
  return { ...history, tokens: history.tokens.slice(), counts: new Map(history.counts) };
}

export function remember(history: History, token: number, plan: SamplingPlan, bytesOf: TokenBytes): void {
  const { penalties, dry } = plan;
  if (!penalties && !dry) return;
  append(history, token, Math.max(penalties?.lastTokens ?? 0, dry?.lastTokens ?? 0));
  if (penalties) count(history, penalties);
  if (dry) breakSequence(history, byteString(bytesOf(token)), dry);
}

/** The token's bytes as a text of one character each. */
export function byteString(bytes: Uint8Array | undefined): string {
  return bytes ? String.fromCharCode(...bytes) : "";
}

function append(history: History, token: number, most: number): void {
  const { tokens, length } = history;
  if (length === tokens.length) {
    // One more than is looked back on: the one that leaves the window must still be known.
    const keep = Math.min(length, most + 1);
    const room = keep * 2 > tokens.length ? new Int32Array(tokens.length * 2) : tokens;
    room.set(tokens.subarray(length - keep, length));
    history.tokens = room;
    history.length = keep;
  }
  history.tokens[history.length++] = token;
}

function count({ tokens, length, counts }: History, { lastTokens }: PenaltyPlan): void {
  const newest = tokens[length - 1] ?? 0;
  counts.set(newest, (counts.get(newest) ?? 0) + 1);
  if (length <= lastTokens) return;
  const oldest = tokens[length - 1 - lastTokens] ?? 0;
  const rest = (counts.get(oldest) ?? 0) - 1;
  if (rest > 0) counts.set(oldest, rest);
  else counts.delete(oldest);
}

function breakSequence(history: History, bytes: string, { breakers }: DryPlan): void {
  const text = history.tail + bytes;
  const ends = breakers.map((breaker) => text.lastIndexOf(breaker) + breaker.length);
  const broken = breakers.some((breaker, index) => {
    const end = ends[index] ?? 0;
    return end >= breaker.length && end > history.tail.length;
  });
  history.sinceBreaker = broken ? 0 : history.sinceBreaker + 1;
  const longest = Math.max(0, ...breakers.map((breaker) => breaker.length));
  history.tail = longest > 1 ? text.slice(1 - longest) : "";
}
