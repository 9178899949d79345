/** More than can run: nobody may be lost, nobody starved, and the memory stays as it is. */
import { isAbort } from "../../error.ts";
import { jainIndex, percentile } from "../statistics.ts";
import type { HearthServer } from "./hearth-server.ts";
import { watchMemory } from "./memory.ts";
import type { Kit, Scenario, Values } from "./scenario.ts";
import { firstTokenMs, totalRate, traceRequest, type Trace } from "./trace.ts";
import { whileLoaded } from "./turns.ts";

export interface QueueSizes {
  readonly clients: number;
  /** Keys that the clients share. The first of them has `heavy` clients, the others the rest in equal parts. */
  readonly users: number;
  readonly heavy: number;
  readonly slots: number;
  readonly promptTokens: number;
  readonly tokens: number;
}

export function createQueue(sizes: QueueSizes): Scenario {
  const { clients, users, heavy, slots, promptTokens, tokens } = sizes;
  return {
    name: "queue",
    text: `${clients} clients of ${users} keys at once, ${heavy} of the first key, ${slots} run; ${promptTokens} tokens in, ${tokens} out`,
    neededTokens: promptTokens + tokens + 1,
    figures: [
      { name: "failures", label: "failures", unit: "" },
      { name: "fairness", label: "Jain index over the keys", unit: "" },
      { name: "rate", label: "all together", unit: "tok/s" },
      { name: "firstP99", label: "first token, p99", unit: "ms" },
      { name: "memoryBefore", label: "memory before", unit: "MiB" },
      { name: "memoryMost", label: "memory at most", unit: "MiB" },
      { name: "memoryAfter", label: "memory after", unit: "MiB" },
    ],
    async run(kit) {
      const server = kit.hearth({ slots, speculation: "off", users });
      const runs: Values[] = [];
      await whileLoaded(kit, [server], async () => {
        for (let run = 1; run <= kit.runs; run++) {
          kit.note(`queue, run ${run} of ${kit.runs}`);
          runs.push(await measureQueue(kit, server, { ...sizes, seed: run }));
        }
      });
      return { [server.name]: runs };
    },
  };
}

/** Whose each client is. The clients of the heavy user are there first: a plain queue would serve them all first. */
export function usersOfClients({ clients, users, heavy }: Pick<QueueSizes, "clients" | "users" | "heavy">): number[] {
  return Array.from({ length: clients }, (_, client) => (client < heavy ? 0 : 1 + ((client - heavy) % (users - 1))));
}

interface Served {
  readonly user: number;
  readonly trace: Trace;
}

async function measureQueue(
  kit: Kit,
  server: HearthServer,
  sizes: QueueSizes & { readonly seed: number },
): Promise<Values> {
  const prompt = kit.prompts(sizes.seed);
  const requests = usersOfClients(sizes).map((user) => ({
    user,
    prompt: prompt(sizes.promptTokens),
    tokens: sizes.tokens,
  }));
  const { result, before, most, after } = await watchMemory(server, async () =>
    Promise.all(
      requests.map(async (request): Promise<Served | undefined> => {
        try {
          return { user: request.user, trace: await traceRequest(server, request, kit.signal) };
        } catch (error) {
          if (isAbort(error) || kit.signal?.aborted) throw error;
          return undefined;
        }
      }),
    ),
  );
  const served = result.filter((one) => one !== undefined);
  const traces = served.map(({ trace }) => trace);
  return {
    failures: requests.length - served.length,
    fairness: fairness(served),
    rate: totalRate(traces),
    firstP99: percentile(traces.map(firstTokenMs), 0.99),
    memoryBefore: before,
    memoryMost: most,
    memoryAfter: after,
  };
}

/** Jain index of the tokens that each user got while all of them still waited for some. */
export function fairness(served: readonly Served[]): number {
  const users = new Map<number, number[]>();
  for (const { user, trace } of served) users.set(user, [...(users.get(user) ?? []), ...trace.tokensAt]);
  const until = Math.min(...[...users.values()].map((times) => Math.max(...times)));
  return jainIndex([...users.values()].map((times) => times.filter((at) => at <= until).length));
}
