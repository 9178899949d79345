import type { EngineStats } from "../../spec/engine.ts";
import { noStats } from "../../spec/stats.ts";
import type { Slots } from "../../util/slots.ts";

/** Like the cache of a real engine, that of the fake counts in blocks. */
const blockTokens = 32;

/** The figures of a fake: a prompt is a step, and so is each token after it. */
export interface FakeStats {
  /** A prompt takes the slot `index`; `cachedTokens` of it were there already. */
  begin(prompt: { readonly index: number; readonly promptTokens: number; readonly cachedTokens: number }): void;
  token(index: number): void;
  /** The request is over; so many tokens stay in its slot. */
  end(index: number, tokens: number): void;
  /** Texts that were embedded or ranked in one step. */
  batch(tokens: number): void;
  readonly read: () => EngineStats;
}

export function createFakeStats(
  slots: Slots,
  size: { readonly parallel: number; readonly contextTokens: number },
): FakeStats {
  const places = Array.from({ length: size.parallel }, () => ({ tokens: 0, busy: false }));
  let { steps, stepTokens, promptTokens, cachedTokens, generatedTokens } = noStats;
  const blocksOf = (busy: boolean): number =>
    places.reduce((sum, place) => (place.busy === busy ? sum + Math.ceil(place.tokens / blockTokens) : sum), 0);
  return {
    begin(prompt) {
      places[prompt.index] = { tokens: prompt.promptTokens, busy: true };
      steps++;
      stepTokens += prompt.promptTokens - prompt.cachedTokens;
      promptTokens += prompt.promptTokens;
      cachedTokens += prompt.cachedTokens;
    },
    token(index) {
      const place = places[index];
      if (place) place.tokens++;
      steps++;
      stepTokens++;
      generatedTokens++;
    },
    end(index, tokens) {
      places[index] = { tokens, busy: false };
    },
    batch(tokens) {
      steps++;
      stepTokens += tokens;
      promptTokens += tokens;
    },
    read: () => ({
      ...noStats,
      running: slots.running,
      waiting: slots.waiting,
      steps,
      stepTokens,
      promptTokens,
      cachedTokens,
      generatedTokens,
      blocks: {
        total: size.parallel * Math.ceil(size.contextTokens / blockTokens),
        used: blocksOf(true),
        cached: blocksOf(false),
      },
    }),
  };
}
