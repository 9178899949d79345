/** A closed loop: each client asks again as soon as it has its answer. Runs in our process and in the peer's alike. */

/** One call. `index` counts the calls of all clients, so that no two of them in a row have the same input. */
export type Call = (index: number) => Promise<void>;

export interface LoopOptions {
  readonly clients: number;
  /** No client begins another call after this. */
  readonly ms: number;
  /** Calls of each client, however long they take. */
  readonly atLeast: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Sample {
  /** Milliseconds of each call. */
  readonly times: readonly number[];
  readonly wallMs: number;
}

export async function runLoop(call: Call, { clients, ms, atLeast, signal }: LoopOptions): Promise<Sample> {
  const times: number[] = [];
  const start = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    for (let calls = 0; calls < atLeast || performance.now() - start < ms; calls++) {
      signal?.throwIfAborted();
      const begin = performance.now();
      await call(next++);
      times.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { times, wallMs: performance.now() - start };
}

/** Calls of each client for one figure: one client's times are a distribution, those of many are many. */
export function leastCalls(clients: number): number {
  return clients === 1 ? 3 : 1;
}
