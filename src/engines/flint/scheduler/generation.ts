/** A sequence with what it needs to choose its tokens. */
import type { GrammarMask } from "../sampling/grammar/mask.ts";
import type { Sampler } from "../sampling/sampler.ts";
import type { Lookup } from "../../../util/speculation/lookup.ts";
import { Trust } from "../../../util/speculation/pace.ts";
import type { Place } from "../pictures/places.ts";
import type { Sequence, SequenceOptions } from "./sequence.ts";
import { createSequence } from "./sequence.ts";

export interface GenerationOptions extends SequenceOptions {
  readonly most: number;
  readonly ignoreEos: boolean;
  /** Scale of each loaded adapter; absent: those of the load. */
  readonly adapters?: readonly number[] | undefined;
  /** The row that a negative token of the prompt stands for; absent: it has none. */
  readonly rowOf?: ((name: number) => Float32Array) | undefined;
  /** Where its rows stand, by position; absent: at their positions. */
  readonly placeOf?: ((position: number) => Place) | undefined;
  readonly sampler: Sampler;
  readonly mask: GrammarMask | undefined;
  /** Absent: nothing is guessed. */
  readonly lookup?: Lookup | undefined;
}

export interface Generation extends GenerationOptions, Sequence {
  readonly trust: Trust;
  /** Where the guesses of the next step come from. */
  draftKind: number;
}

export function createGeneration(options: GenerationOptions): Generation {
  return { ...createSequence(options), trust: new Trust(), draftKind: 0 };
}

/** Tokens chosen so far. */
export function chosenOf({ tokens, prompt }: Sequence): number {
  return tokens.length - prompt.length;
}
