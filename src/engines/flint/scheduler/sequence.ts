/** One generation: what it has computed, what comes next, and how it chooses. */
import type { BlockTable } from "../cache/blocks.ts";
import type { GrammarMask } from "../sampling/grammar/mask.ts";
import type { Sampler } from "../sampling/sampler.ts";

export interface SequenceOptions {
  readonly id: number;
  readonly table: BlockTable;
  readonly prompt: readonly number[];
  /** Tokens at the start of the prompt that are in the cache; less than the prompt's length. */
  readonly keep: number;
  readonly most: number;
  readonly ignoreEos: boolean;
  /** Scale of each loaded adapter; absent: those of the load. */
  readonly adapters?: readonly number[] | undefined;
  readonly sampler: Sampler;
  readonly mask: GrammarMask | undefined;
}

export interface Sequence extends SequenceOptions {
  /** Tokens whose keys and values are in the cache. */
  computed: number;
  /** Tokens that wait to be computed: the rest of the prompt, then the last chosen token. */
  pending: readonly number[];
  chosen: number;
}

export function createSequence(options: SequenceOptions): Sequence {
  options.table.truncate(options.keep);
  return { ...options, computed: options.keep, pending: options.prompt.slice(options.keep), chosen: 0 };
}

/** What of the sequences goes into the next step: first one token of each that answers, then prompts in their order. */
export interface Share {
  readonly sequence: Sequence;
  readonly tokens: readonly number[];
}

export interface StepLimits {
  readonly rows: number;
  readonly outputs: number;
}

export function planStep(sequences: readonly Sequence[], { rows, outputs }: StepLimits): Share[] {
  const shares: Share[] = [];
  let left = rows;
  const add = (sequence: Sequence): void => {
    const tokens = sequence.pending.slice(0, left);
    if (tokens.length === 0 || shares.length >= outputs) return;
    shares.push({ sequence, tokens });
    left -= tokens.length;
  };
  for (const sequence of sequences) if (sequence.pending.length === 1) add(sequence);
  for (const sequence of sequences) if (sequence.pending.length > 1) add(sequence);
  return shares;
}
