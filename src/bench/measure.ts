import type { Workload } from "./workload.ts";

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

export async function measureRound(
  contestant: Contestant,
  workload: Workload,
  clients: readonly number[],
): Promise<Figures> {
  const start = performance.now();
  await contestant.load();
  const load = performance.now() - start;
  try {
    // The first step after a load pays for page faults and thread starts; it is part of no figure.
    await contestant.generate(workload.shortPrompt.toReversed(), 4, () => undefined);
    const { firstToken, decode } = await measureDecode(contestant, workload);
    const prefill = await measurePrefill(contestant, workload);
    const byClients: Record<string, number> = {};
    for (const count of clients) byClients[String(count)] = await measureClients(contestant, workload, count);
    return { load, firstToken, prefill, decode, clients: byClients };
  } finally {
    await contestant.unload();
  }
}

async function measureDecode(
  contestant: Contestant,
  workload: Workload,
): Promise<{ firstToken: number; decode: number }> {
  const times: number[] = [];
  const start = performance.now();
  await contestant.generate(workload.shortPrompt, workload.decodeTokens, () => times.push(performance.now()));
  const first = times[0] ?? Number.NaN;
  const last = times.at(-1) ?? Number.NaN;
  return { firstToken: first - start, decode: ((times.length - 1) * 1000) / (last - first) };
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
