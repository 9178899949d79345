/** Users as they are: each sends one request after the other, short ones and long ones. */
import type { BenchRequest, Contestant } from "../measure.ts";
import { percentile } from "../statistics.ts";
import { createRandom } from "../workload.ts";
import type { Kit, Scenario, Values } from "./scenario.ts";
import { firstTokenMs, tokenGaps, totalRate, traceRequest, type Trace } from "./trace.ts";
import { allContestants, measureInTurn } from "./turns.ts";

export interface MixedSizes {
  readonly clients: number;
  /** Of each client. */
  readonly requests: number;
  /** Lengths of prompts and answers. */
  readonly least: number;
  readonly most: number;
}

export interface Lengths {
  readonly promptTokens: number;
  readonly tokens: number;
}

/**
 * Lengths of each client's requests. Logarithms of lengths are evenly spread: twice as long is half as frequent. An
 * answer ends where the context does.
 */
export function mixedLengths(sizes: MixedSizes, contextTokens: number, seed: number): readonly (readonly Lengths[])[] {
  const { clients, requests, least, most } = sizes;
  const random = createRandom(seed);
  const length = (): number => Math.round(least * (most / least) ** random());
  return Array.from({ length: clients }, () =>
    Array.from({ length: requests }, () => {
      // One token more may be put before the prompt.
      const promptTokens = Math.min(length(), contextTokens - 2);
      return { promptTokens, tokens: Math.min(length(), contextTokens - promptTokens - 1) };
    }),
  );
}

export function createMixed(sizes: MixedSizes): Scenario {
  const { clients, requests, least, most } = sizes;
  return {
    name: "mixed",
    text: `${clients} clients, ${requests} requests each, ${least} to ${most} tokens in and out`,
    neededTokens: most + least + 1,
    figures: [
      { name: "rate", label: "all together", unit: "tok/s", better: "more" },
      { name: "firstP50", label: "first token, median", unit: "ms", better: "less" },
      { name: "firstP99", label: "first token, p99", unit: "ms", better: "less" },
      { name: "gapP50", label: "between tokens, median", unit: "ms", better: "less" },
      { name: "gapP99", label: "between tokens, p99", unit: "ms", better: "less" },
    ],
    async run(kit) {
      const contestants = allContestants(kit, clients);
      return await measureInTurn(kit, { scenario: "mixed", contestants }, async (contestant, seed) => {
        const prompt = kit.prompts(seed);
        const lengths = mixedLengths(sizes, kit.contextTokens, seed);
        const plans = lengths.map((client) =>
          client.map(({ promptTokens, tokens }) => ({ prompt: prompt(promptTokens), tokens })),
        );
        return summarize((await Promise.all(plans.map((plan) => runClient(kit, contestant, plan)))).flat());
      });
    },
  };
}

async function runClient(kit: Kit, contestant: Contestant, plan: readonly BenchRequest[]): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (const request of plan) traces.push(await traceRequest(contestant, request, kit.signal));
  return traces;
}

function summarize(traces: readonly Trace[]): Values {
  const first = traces.map(firstTokenMs);
  const gaps = traces.flatMap(tokenGaps);
  return {
    rate: totalRate(traces),
    firstP50: percentile(first, 0.5),
    firstP99: percentile(first, 0.99),
    gapP50: percentile(gaps, 0.5),
    gapP99: percentile(gaps, 0.99),
  };
}
