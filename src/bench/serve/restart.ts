/** A server that is started again: what it had computed should still be there. */
import type { HearthServer } from "./hearth-server.ts";
import type { Kit, Scenario, Values } from "./scenario.ts";
import { firstTokenMs, traceRequest } from "./trace.ts";
import { whileLoaded } from "./turns.ts";

export interface RestartSizes {
  readonly prefixTokens: number;
  /** Tokens after the prefix, others after the second start. */
  readonly ownTokens: number;
}

const slots = 2;

export function createRestart(sizes: RestartSizes): Scenario {
  const { prefixTokens, ownTokens } = sizes;
  return {
    name: "restart",
    text: `${prefixTokens} tokens, the server stopped and started, the same ${prefixTokens} and ${ownTokens} others; the model loaded before both`,
    neededTokens: prefixTokens + ownTokens + 2,
    figures: [
      { name: "cold", label: "first token, first start", unit: "ms" },
      { name: "warm", label: "first token, second start", unit: "ms" },
      { name: "share", label: "second of first", unit: "%" },
    ],
    async run(kit) {
      const server = kit.hearth({ slots, speculation: "off" });
      const runs: Values[] = [];
      for (let run = 1; run <= kit.runs; run++) {
        kit.note(`restart, run ${run} of ${kit.runs}`);
        runs.push(await measureRestart(kit, server, { ...sizes, seed: run }));
      }
      return { [server.name]: runs };
    },
  };
}

async function measureRestart(
  kit: Kit,
  server: HearthServer,
  { prefixTokens, ownTokens, seed }: RestartSizes & { readonly seed: number },
): Promise<Values> {
  const prompt = kit.prompts(seed);
  const prefix = prompt(prefixTokens);
  const start = async (): Promise<number> => {
    const request = { prompt: [...prefix, ...prompt(ownTokens)], tokens: 1 };
    return await whileLoaded(kit, [server], async () => firstTokenMs(await traceRequest(server, request, kit.signal)));
  };
  const cold = await start();
  const warm = await start();
  return { cold, warm, share: warm / cold };
}
