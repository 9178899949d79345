/** Guesses for the next step, as many as pay: from the text itself where it repeats, else from a draft model. */
import type { Generation } from "../scheduler/generation.ts";
import { chosenOf } from "../scheduler/generation.ts";
import { decodes } from "../scheduler/sequence.ts";
import type { Guess } from "../../../util/speculation/lookup.ts";
import { draftKind, kindOf } from "../../../util/speculation/pace.ts";
import type { Pace } from "../../../util/speculation/pace.ts";
import type { Draft, Wish } from "./draft.ts";

export interface Guessing {
  readonly pace: Pace;
  readonly draft?: Draft | undefined;
}

/** As many as one step checks. */
const mostGuesses = 16;
/** So many tokens that matched are better than a draft model's opinion. */
const longMatch = 6;

export function speculate(sequences: readonly Generation[], { pace, draft }: Guessing): void {
  const answering = sequences.filter((one) => one.held && decodes(one));
  const wishes: Wish[] = [];
  let rows = answering.length;
  for (const sequence of answering) {
    const { lookup, trust, most } = sequence;
    sequence.draft = [];
    // The last token that may be chosen needs no guess.
    const room = Math.min(mostGuesses, most - chosenOf(sequence) - 1);
    const guess = room > 0 ? lookup?.guess(room) : undefined;
    // The draft model sees no pictures.
    const kind = kindFor(guess, sequence.rowOf ? undefined : draft);
    if (kind === undefined || room <= 0) continue;
    const guessMs = kind === draftKind ? (draft?.guessMs(answering.length) ?? 0) : 0;
    const count = pace.guesses({ rows, chance: trust.chance(kind), most: room, guessMs });
    if (count === 0) trust.rest(kind);
    sequence.draftKind = kind;
    if (kind === draftKind && count > 0) wishes.push({ sequence, guesses: count });
    else sequence.draft = guess?.tokens.slice(0, count) ?? [];
    rows += count;
  }
  draft?.guess(wishes);
}

function kindFor(guess: Guess | undefined, draft: Draft | undefined): number | undefined {
  if (draft && (guess?.matched ?? 0) < longMatch) return draftKind;
  return guess && kindOf(guess.matched);
}
