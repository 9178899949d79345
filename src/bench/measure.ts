import { median } from "./statistics.ts";
import type { Workload } from "./workload.ts";

/** What all sides are asked for in the same words. */
export interface BenchRequest {
  readonly prompt: readonly number[];
  readonly tokens: number;
  /** The whole answer is this token: then the next prompt can repeat it, whatever the model would have said. */
  readonly answer?: number;
  /** Place of the user among those that share a server. */
  readonly user?: number;
}

/** One side of the comparison: hearth, or a peer. Both get the same prompts and generate greedily. */
export interface Contestant {
  readonly name: string;
  load(): Promise<void>;
  /**
   * Generates `tokens` tokens, never stopping early; calls `onToken` as each arrives. `late`: this one has no text of its
   * own, so that nobody saw it arrive, and is counted when the answer ends.
   */
  generate(request: BenchRequest, onToken: (late?: boolean) => void): Promise<void>;
  /** Of its process, as the system counts it after the last request; undefined: it does not say. */
  residentBytes(): number | undefined;
  unload(): Promise<void>;
}

/** One round: medians over its prompts. Rates in tokens per second, times in milliseconds. */
export interface Figures {
  readonly load: number;
  readonly firstToken: number;
  readonly prefill: number;
  readonly decode: number;
  /** Number of clients → tokens per second of all together. */
  readonly clients: Readonly<Record<string, number>>;
  /** At the end, with the caches of all its requests. */
  readonly residentBytes?: number;
}

/**
 * One round: each figure is taken of one contestant after the other while all are loaded, because a machine changes its
 * speed from minute to minute. Who begins changes from figure to figure.
 */
export async function measureRound(
  contestants: readonly Contestant[],
  workload: Workload,
  clients: readonly number[],
): Promise<Figures[]> {
  const loaded: Contestant[] = [];
  let turns = 0;
  const inTurn: InTurn = async (measure) => {
    const results: number[] = [];
    const order = turns++ % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of order) results[contestants.indexOf(contestant)] = await measure(contestant);
    return results;
  };
  try {
    const load = await inTurn(async (contestant) => {
      const start = performance.now();
      await contestant.load();
      loaded.push(contestant);
      return performance.now() - start;
    });
    return await measureLoaded(inTurn, contestants, { workload, clients, load });
  } finally {
    for (const contestant of loaded) await contestant.unload();
  }
}

interface Round {
  readonly workload: Workload;
  readonly clients: readonly number[];
  /** Milliseconds of each contestant. */
  readonly load: readonly number[];
}

async function measureLoaded(
  inTurn: InTurn,
  contestants: readonly Contestant[],
  { workload, clients, load }: Round,
): Promise<Figures[]> {
  const { shortPrompts, longPrompts, decodeTokens } = workload;
  // The first step after a load pays for page faults and thread starts; it is part of no figure.
  await inTurn(async (contestant) => {
    await contestant.generate({ prompt: shortPrompts[0]?.toReversed() ?? [], tokens: 4 }, () => undefined);
    return 0;
  });
  const firstToken = await measurePrompts(inTurn, shortPrompts, measureFirstToken);
  const decode = await measurePrompts(inTurn, shortPrompts.slice(0, longPrompts.length), (contestant, prompt) =>
    measureDecode(contestant, prompt.toReversed(), decodeTokens),
  );
  const prefill = await measurePrompts(inTurn, longPrompts, measurePrefill);
  const byClients = new Map<string, number[]>();
  for (const count of clients) {
    byClients.set(String(count), await inTurn((contestant) => measureClients(contestant, workload, count)));
  }
  return contestants.map((contestant, index) => {
    const at = (values: readonly number[]): number => values[index] ?? Number.NaN;
    const rates = [...byClients].map(([count, values]) => [count, at(values)] as const);
    const residentBytes = contestant.residentBytes();
    return {
      load: at(load),
      firstToken: at(firstToken),
      prefill: at(prefill),
      decode: at(decode),
      clients: Object.fromEntries(rates),
      ...(residentBytes !== undefined && { residentBytes }),
    };
  });
}

/** One figure of each contestant, in the order of the contestants. */
type InTurn = (measure: (contestant: Contestant) => Promise<number>) => Promise<number[]>;

/** Median over the prompts, the contestants in turn for each. */
async function measurePrompts(
  inTurn: InTurn,
  prompts: readonly (readonly number[])[],
  measure: (contestant: Contestant, prompt: readonly number[]) => Promise<number>,
): Promise<number[]> {
  const rows: number[][] = [];
  for (const prompt of prompts) rows.push(await inTurn((contestant) => measure(contestant, prompt)));
  return (rows[0] ?? []).map((_, contestant) => median(rows.map((row) => row[contestant] ?? Number.NaN)));
}

async function measureFirstToken(contestant: Contestant, prompt: readonly number[]): Promise<number> {
  const start = performance.now();
  let first = Number.NaN;
  await contestant.generate({ prompt, tokens: 1 }, () => {
    first = performance.now() - start;
  });
  return first;
}

/** Tokens per second from the first token on. */
async function measureDecode(contestant: Contestant, prompt: readonly number[], tokens: number): Promise<number> {
  const times: number[] = [];
  await contestant.generate({ prompt, tokens }, () => times.push(performance.now()));
  const first = times[0] ?? Number.NaN;
  const last = times.at(-1) ?? Number.NaN;
  return ((times.length - 1) * 1000) / (last - first);
}

async function measurePrefill(contestant: Contestant, prompt: readonly number[]): Promise<number> {
  return (prompt.length * 1000) / (await measureFirstToken(contestant, prompt));
}

async function measureClients(contestant: Contestant, workload: Workload, count: number): Promise<number> {
  let tokens = 0;
  const start = performance.now();
  const run = async (prompt: readonly number[]): Promise<void> =>
    await contestant.generate({ prompt, tokens: workload.clientTokens }, () => {
      tokens++;
    });
  // Each count starts its prompts with another token, so that no count finds the cache of the one before.
  await Promise.all(
    workload.clientPrompts.slice(0, count).map((prompt) => run([(prompt[0] ?? 0) + count, ...prompt.slice(1)])),
  );
  return (tokens * 1000) / (performance.now() - start);
}
