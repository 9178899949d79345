/** One generation, as the scheduler sees it: its tokens, how many of them are computed, and where. */
import type { Priority } from "../../../spec/engine.ts";
import type { HeldBlocks } from "../cache/held.ts";

export interface SequenceOptions {
  readonly id: number;
  readonly prompt: readonly number[];
  /** Cache blocks are shared by sequences with one root: of one tenant, with the same adapters. */
  readonly root: string;
  readonly priority: Priority;
}

export interface Sequence extends SequenceOptions {
  /** The prompt and what was chosen since. */
  readonly tokens: number[];
  /** Tokens whose keys and values are in the cache. */
  computed: number;
  /** Guesses of what follows the last token, to be checked in the next step. */
  draft: readonly number[];
  /** Absent while it waits. */
  held: HeldBlocks | undefined;
  /** Tokens of the prompt that the cache had, in memory and outside it. */
  cachedTokens: number;
  restoredTokens: number;
  /** Has had its place before. */
  begun: boolean;
  preempted: boolean;
  /** Order of arrival. */
  arrival: number;
}

export function createSequence<T extends SequenceOptions>(options: T): T & Sequence {
  return {
    ...options,
    tokens: [...options.prompt],
    computed: 0,
    draft: [],
    held: undefined,
    cachedTokens: 0,
    restoredTokens: 0,
    begun: false,
    preempted: false,
    arrival: 0,
  };
}

/** Answers: only its last token is not computed yet. */
export function decodes({ tokens, computed }: Sequence): boolean {
  return tokens.length - computed === 1;
}
