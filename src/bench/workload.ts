/** What is measured, the same for both sides: prompts as token ids, so that tokenizers play no part. */
export interface Workload {
  /** Prompt of the first-token and decode measurements. */
  readonly shortPrompt: readonly number[];
  /** Prompt of the prefill measurement. */
  readonly longPrompt: readonly number[];
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
  /** Another seed gives other prompts, so that no run finds the cache of the one before. */
  readonly seed: number;
}

const shortPromptTokens = 32;
const clientPromptTokens = 64;
const clientTokens = 64;

/** Random prompts: every token of the vocabulary is as likely, control tokens at its start are left out. */
export function createWorkload(options: WorkloadOptions): Workload {
  const random = createRandom(options.seed);
  const prompt = (length: number): number[] =>
    Array.from({ length }, () => {
      const first = Math.min(300, Math.floor(options.vocabularySize / 2));
      return first + Math.floor(random() * (options.vocabularySize - first));
    });
  return {
    shortPrompt: prompt(shortPromptTokens),
    longPrompt: prompt(options.promptTokens),
    decodeTokens: options.decodeTokens,
    clientPrompts: Array.from({ length: options.clients }, () => prompt(clientPromptTokens)),
    clientTokens,
  };
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
