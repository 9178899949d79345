/** Many at once whose prompts begin alike: a system prompt, a document that all ask about. */
import type { Contestant } from "../measure.ts";
import { percentile } from "../statistics.ts";
import type { Scenario } from "./scenario.ts";
import { firstTokenMs, traceRequest } from "./trace.ts";
import { allContestants, measureInTurn } from "./turns.ts";

export interface PrefixSizes {
  readonly clients: number;
  readonly prefixTokens: number;
  /** Tokens after the prefix that are each client's own. */
  readonly ownTokens: number;
}

/** Enough that those who have their first token already compute beside those who have not, as in earnest. */
const answerTokens = 8;

export function createPrefix({ clients, prefixTokens, ownTokens }: PrefixSizes): Scenario {
  return {
    name: "prefix",
    text: `${clients} clients at once share ${prefixTokens} tokens that nobody has asked before; ${ownTokens} are their own`,
    neededTokens: prefixTokens + ownTokens + answerTokens + 1,
    figures: [
      { name: "firstP50", label: "first token, median", unit: "ms", better: "less" },
      { name: "firstP99", label: "first token, p99", unit: "ms", better: "less" },
      { name: "againP50", label: "asked again, median", unit: "ms", better: "less" },
    ],
    async run(kit) {
      const contestants = allContestants(kit, clients);
      return await measureInTurn(kit, { scenario: "prefix", contestants }, async (contestant, seed) => {
        const prompt = kit.prompts(seed);
        const prefix = prompt(prefixTokens);
        const ask = async (): Promise<number[]> =>
          await askAll(
            contestant,
            Array.from({ length: clients }, () => [...prefix, ...prompt(ownTokens)]),
            kit.signal,
          );
        const first = await ask();
        const again = await ask();
        return {
          firstP50: percentile(first, 0.5),
          firstP99: percentile(first, 0.99),
          againP50: percentile(again, 0.5),
        };
      });
    },
  };
}

async function askAll(
  contestant: Contestant,
  prompts: readonly (readonly number[])[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const traces = prompts.map((prompt) => traceRequest(contestant, { prompt, tokens: answerTokens }, signal));
  return (await Promise.all(traces)).map(firstTokenMs);
}
