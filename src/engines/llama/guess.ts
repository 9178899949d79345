import type { Token } from "node-llama-cpp";
import { Lookup } from "../../util/speculation/lookup.ts";
import { draftKind, kindOf, Pace, Trust } from "../../util/speculation/pace.ts";
import type { Drafter } from "./draft.ts";
import type { Batch } from "./internals.ts";

const mostGuesses = 16;
/** A draft model that was slow is tried again in the end. */
const forgets = 0.98;
/** After so many guesses that seemed too dear a short one is tried: what they cost may have been measured in a bad moment. */
const mostSkipped = 128;
const shortGuess = 4;

/**
 * What batches cost, by the number of sequences in them: llama.cpp computes rows of one sequence that the others have no
 * match for in a pass of their own.
 */
export interface BatchCosts {
  record(batch: Batch): void;
  of(sequences: number): Pace;
}

export function createBatchCosts(): BatchCosts {
  const paces = new Map<number, Pace>();
  const of = (sequences: number): Pace => {
    const pace = paces.get(sequences) ?? new Pace();
    paces.set(sequences, pace);
    return pace;
  };
  return { of, record: ({ sequences, rows, ms }) => of(sequences).record(rows, ms) };
}

export interface GuesserOptions {
  readonly prompt: readonly Token[];
  readonly drafter?: Drafter | undefined;
  readonly costs: BatchCosts;
  /** Sequences that compute at the moment, this one among them. */
  readonly running: () => number;
  /** Whether a token is one of the model's, and not one that ends the text. */
  readonly allowed: (token: Token) => boolean;
  readonly now?: () => number;
}

/** Guesses what one answer says next. */
export interface Guesser {
  /** What may follow the prompt and all that was told, as many tokens as pay; at most `room`. */
  next(room: number): Promise<readonly Token[]>;
  /** What was chosen; of the guess before it, all but the last of these tokens were right. */
  tell(chosen: readonly Token[]): void;
}

interface Guess {
  readonly tokens: readonly Token[];
  readonly kind: number;
}

const nothing: Guess = { tokens: [], kind: 0 };

/** The text itself is asked first, since that costs nothing; then the draft model. */
export function createGuesser(options: GuesserOptions): Guesser {
  const { prompt, drafter, costs, running, allowed, now = () => performance.now() } = options;
  const history = [...prompt];
  const lookup = new Lookup(prompt);
  const trust = new Trust();
  let tokenMs = 0;
  let last = nothing;
  let skipped = 0;

  const look = (room: number): Guess => {
    const found = lookup.guess(room);
    if (!found) return nothing;
    const kind = kindOf(found.matched);
    const rows = running();
    const count = costs.of(rows).guesses({ rows, chance: trust.chance(kind), most: found.tokens.length });
    if (count === 0) trust.rest(kind);
    skipped = count === 0 ? skipped + 1 : 0;
    const tried = skipped % mostSkipped === mostSkipped - 1 ? shortGuess : count;
    return { tokens: found.tokens.slice(0, tried) as Token[], kind };
  };
  const draft = async (room: number): Promise<Guess> => {
    if (!drafter) return nothing;
    const rows = running();
    const odds = { rows, chance: trust.chance(draftKind), most: room, guessMs: tokenMs };
    const most = costs.of(rows).guesses(odds);
    if (most === 0) {
      trust.rest(draftKind);
      tokenMs *= forgets;
      return nothing;
    }
    const behind = await drafter.follow(history);
    const started = now();
    const tokens = await drafter.guess(behind, most);
    // It computes one token more than it guesses, unless it was sure to the end.
    tokenMs = (now() - started) / Math.min(most, tokens.length + 1);
    return { tokens, kind: draftKind };
  };
  return {
    async next(room) {
      const most = Math.min(room, mostGuesses);
      last = most > 0 ? look(most) : nothing;
      if (last.tokens.length === 0 && most > 0) last = await draft(most);
      const stop = last.tokens.findIndex((token) => !allowed(token));
      if (stop >= 0) last = { ...last, tokens: last.tokens.slice(0, stop) };
      return last.tokens;
    },
    tell(chosen) {
      trust.learn(last.kind, last.tokens.length, chosen.length - 1);
      last = nothing;
      for (const token of chosen) lookup.push(token);
      history.push(...chosen);
    },
  };
}
