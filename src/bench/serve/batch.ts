/** Many at once, all alike: what the matrix kernels make of several rows. */
import type { Scenario } from "./scenario.ts";
import { totalRate, traceRequest } from "./trace.ts";
import { allContestants, measureInTurn } from "./turns.ts";

export interface BatchSizes {
  readonly clients: number;
  readonly promptTokens: number;
  readonly tokens: number;
}

export function createBatch({ clients, promptTokens, tokens }: BatchSizes): Scenario {
  return {
    name: "batch",
    text: `${clients} clients at once, ${promptTokens} tokens in, ${tokens} out`,
    neededTokens: promptTokens + tokens + 1,
    figures: [{ name: "rate", label: "all together", unit: "tok/s", better: "more" }],
    async run(kit) {
      const contestants = allContestants(kit, clients);
      return await measureInTurn(kit, { scenario: "batch", contestants }, async (contestant, seed) => {
        const prompt = kit.prompts(seed);
        const requests = Array.from({ length: clients }, () => ({ prompt: prompt(promptTokens), tokens }));
        const traces = requests.map((request) => traceRequest(contestant, request, kit.signal));
        return { rate: totalRate(await Promise.all(traces)) };
      });
    },
  };
}
