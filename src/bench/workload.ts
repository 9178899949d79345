/** What is measured, the same for both sides: prompts as token ids, so that tokenizers play no part. */
export interface Workload {
  /** Prompts of the first-token measurement, and the first of them of the decode measurement. */
  readonly shortPrompts: readonly (readonly number[])[];
  /** Prompts of the prefill measurement. */
  readonly longPrompts: readonly (readonly number[])[];
  readonly decodeTokens: number;
  /** One prompt per client, all different. */
  readonly clientPrompts: readonly (readonly number[])[];
  readonly clientTokens: number;
}

export interface WorkloadOptions {
  readonly vocabularySize: number;
  readonly promptTokens: number;
  readonly decodeTokens: number;
  readonly clients: number;
  /** Prompts that prefill and decode are measured with. */
  readonly prompts: number;
  /** Another seed gives other prompts, so that no run finds the cache of the one before. */
  readonly seed: number;
}

/** One alone says little about ten milliseconds. */
const shortPrompts = 7;
const shortPromptTokens = 32;
const clientPromptTokens = 64;
const clientTokens = 64;

/** Random prompts: every token of the vocabulary is as likely, control tokens at its start are left out. */
export function createWorkload(options: WorkloadOptions): Workload {
  const prompt = createPrompts(options.vocabularySize, createRandom(options.seed));
  const prompts = (count: number, length: number): number[][] => Array.from({ length: count }, () => prompt(length));
  return {
    shortPrompts: prompts(Math.max(shortPrompts, options.prompts), shortPromptTokens),
    longPrompts: prompts(options.prompts, options.promptTokens),
    decodeTokens: options.decodeTokens,
    clientPrompts: prompts(options.clients, clientPromptTokens),
    clientTokens,
  };
}

/** What a contestant is asked before anything is measured: its first step pays for page faults and thread starts. */
export const warmUp = { prompt: [3, 4, 5, 6, 7, 8, 9, 10], tokens: 4 } as const;

/** A bias that no other token's logit comes up to: the answer is this token. */
export const surely = 100;

/** Length → a random prompt of that length, each another. */
export function createPrompts(vocabularySize: number, random: () => number): (length: number) => number[] {
  const first = Math.min(300, Math.floor(vocabularySize / 2));
  return (length) => Array.from({ length }, () => first + Math.floor(random() * (vocabularySize - first)));
}

/** Mulberry32 of Tommy Ettinger: a small seeded generator, 0 ≤ x < 1. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}
