import { median } from "./statistics.ts";
import type { Workload } from "./workload.ts";

const firstTokenPrompts = 7;

/** One side of the comparison: hearth, or a peer. Both get the same prompts and generate greedily. */
export interface Contestant {
  readonly name: string;
  load(): Promise<void>;
  /** Generates `tokens` tokens, never stopping early; calls `onToken` as each arrives. */
  generate(prompt: readonly number[], tokens: number, onToken: () => void): Promise<void>;
  unload(): Promise<void>;
}

/** One round. Rates in tokens per second, times in milliseconds. */
export interface Figures {
  readonly load: number;
  readonly firstToken: number;
  readonly prefill: number;
  readonly decode: number;
  /** Number of clients → tokens per second of all together. */
  readonly clients: Readonly<Record<string, number>>;
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
  const inTurn = async <T>(measure: (contestant: Contestant) => Promise<T>): Promise<T[]> => {
    const results: T[] = [];
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
    // The first step after a load pays for page faults and thread starts; it is part of no figure.
    await inTurn(async (contestant) => {
      await contestant.generate(workload.shortPrompt.toReversed(), 4, () => undefined);
    });
    const firstToken = await measureFirstTokens(inTurn, workload);
    const decode = await inTurn(async (contestant) => await measureDecode(contestant, workload));
    const prefill = await inTurn(async (contestant) => await measurePrefill(contestant, workload));
    const byClients = new Map<string, number[]>();
    for (const count of clients) {
      byClients.set(
        String(count),
        await inTurn(async (contestant) => await measureClients(contestant, workload, count)),
      );
    }
    return contestants.map((_, index) => {
      const at = (values: readonly number[]): number => values[index] ?? Number.NaN;
      const rates = [...byClients].map(([count, values]) => [count, at(values)] as const);
      return {
        load: at(load),
        firstToken: at(firstToken),
        prefill: at(prefill),
        decode: at(decode),
        clients: Object.fromEntries(rates),
      };
    });
  } finally {
    for (const contestant of loaded) await contestant.unload();
  }
}

type InTurn = <T>(measure: (contestant: Contestant) => Promise<T>) => Promise<T[]>;

/** Median over several prompts, the contestants in turn for each: one alone says little about ten milliseconds. */
async function measureFirstTokens(inTurn: InTurn, { shortPrompt }: Workload): Promise<number[]> {
  const rows: number[][] = [];
  for (let index = 1; index <= firstTokenPrompts; index++) {
    const prompt = [...shortPrompt.slice(index), ...shortPrompt.slice(0, index)];
    rows.push(await inTurn(async (contestant) => await measureFirstToken(contestant, prompt)));
  }
  return (rows[0] ?? []).map((_, contestant) => median(rows.map((row) => row[contestant] ?? Number.NaN)));
}

async function measureFirstToken(contestant: Contestant, prompt: readonly number[]): Promise<number> {
  const start = performance.now();
  let first = Number.NaN;
  await contestant.generate(prompt, 1, () => {
    first = performance.now() - start;
  });
  return first;
}

async function measureDecode(contestant: Contestant, workload: Workload): Promise<number> {
  const times: number[] = [];
  await contestant.generate(workload.shortPrompt, workload.decodeTokens, () => times.push(performance.now()));
  const first = times[0] ?? Number.NaN;
  const last = times.at(-1) ?? Number.NaN;
  return ((times.length - 1) * 1000) / (last - first);
}

async function measurePrefill(contestant: Contestant, workload: Workload): Promise<number> {
  const start = performance.now();
  let end = start;
  await contestant.generate(workload.longPrompt, 1, () => {
    end = performance.now();
  });
  return (workload.longPrompt.length * 1000) / (end - start);
}

async function measureClients(contestant: Contestant, workload: Workload, count: number): Promise<number> {
  let tokens = 0;
  const start = performance.now();
  const run = async (prompt: readonly number[]): Promise<void> =>
    await contestant.generate(prompt, workload.clientTokens, () => {
      tokens++;
    });
  // Each count starts its prompts with another token, so that no count finds the cache of the one before.
  await Promise.all(
    workload.clientPrompts.slice(0, count).map((prompt) => run([(prompt[0] ?? 0) + count, ...prompt.slice(1)])),
  );
  return (tokens * 1000) / (performance.now() - start);
}
