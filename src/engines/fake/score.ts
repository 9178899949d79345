import type { ScoreRequest, ScoreResult } from "../../spec/engine.ts";
import { toEntry, tooLong, toTokens } from "./generate.ts";
import { fakeDetokenize } from "./tokens.ts";

/** Each token is as likely as when it is generated. */
export function scoreFake({ prompt, topLogprobs, from = 1 }: ScoreRequest, contextTokens: number): ScoreResult {
  const tokens = toTokens(prompt);
  if (tokens.length > contextTokens) throw tooLong(tokens.length, contextTokens);
  const [first = 0] = tokens;
  const text = fakeDetokenize([first]);
  return {
    promptTokens: tokens.length,
    first: { token: first, text, bytes: [...Buffer.from(text)] },
    entries: tokens.slice(Math.max(1, from)).map((token) => ({
      ...toEntry({ token, text: fakeDetokenize([token]) }, topLogprobs),
      rank: 1,
    })),
  };
}
