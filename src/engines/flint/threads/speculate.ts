/** Guesses for the next step, as many as pay. */
import type { Generation } from "../scheduler/generation.ts";
import { chosenOf } from "../scheduler/generation.ts";
import { decodes } from "../scheduler/sequence.ts";
import { kindOf } from "../speculation/pace.ts";
import type { Pace } from "../speculation/pace.ts";

export function speculate(sequences: readonly Generation[], pace: Pace): void {
  const answering = sequences.filter((one) => one.held && decodes(one));
  let rows = answering.length;
  for (const sequence of answering) {
    const { lookup, trust, most } = sequence;
    // The last token that may be chosen needs no guess.
    const room = Math.min(16, most - chosenOf(sequence) - 1);
    const guess = room > 0 ? lookup?.guess(room) : undefined;
    if (!guess) continue;
    const kind = kindOf(guess.matched);
    const count = pace.guesses(rows, trust.chance(kind), guess.tokens.length);
    if (count === 0) trust.rest(kind);
    sequence.draft = guess.tokens.slice(0, count);
    sequence.draftKind = kind;
    rows += count;
  }
}
