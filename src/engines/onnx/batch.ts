/** Requests of several callers that run as one. */
import { abortError } from "../../util/abort.ts";

export interface BatchOptions<Input, Output> {
  /** One at a time; as many outputs as inputs. */
  readonly run: (inputs: readonly Input[]) => Promise<readonly Output[]>;
  /** What inputs are padded to the longest of. */
  readonly lengthOf: (input: Input) => number;
  readonly mostRows: number;
  /** Rows times the longest. */
  readonly mostCells: number;
}

export interface Batcher<Input, Output> {
  add(inputs: readonly Input[], signal?: AbortSignal): Promise<Output[]>;
}

/**
 * Most of texts in one run. A text of 12 tokens costs a core 1.8 times less among 8 than alone, one of 42 tokens 1.3 times;
 * beyond 512 tokens or so what MiniLM computes leaves the caches of a CPU and costs more again. GPUs want more rows.
 */
export function textBatch(device: string): { readonly mostRows: number; readonly mostCells: number } {
  return device === "cpu" ? { mostRows: 32, mostCells: 512 } : { mostRows: 64, mostCells: 8192 };
}

interface Waiting<Input, Output> {
  readonly input: Input;
  readonly length: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (output: Output) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What comes while a run goes on waits for the next one, so that nobody waits for a clock. A run takes the oldest and those
 * most alike in length: padding costs as much as text.
 */
export function createBatcher<Input, Output>(options: BatchOptions<Input, Output>): Batcher<Input, Output> {
  const waiting: Waiting<Input, Output>[] = [];
  let running = false;
  const work = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0) await runBatch(takeBatch(waiting, options), options);
    running = false;
  };
  return {
    async add(inputs, signal) {
      const outputs = inputs.map(
        (input) =>
          new Promise<Output>((resolve, reject) => {
            waiting.push({ input, length: options.lengthOf(input), signal, resolve, reject });
          }),
      );
      if (!running) void work();
      return await Promise.all(outputs);
    },
  };
}

async function runBatch<Input, Output>(
  batch: readonly Waiting<Input, Output>[],
  { run }: BatchOptions<Input, Output>,
): Promise<void> {
  if (batch.length === 0) return;
  try {
    const outputs = await run(batch.map(({ input }) => input));
    batch.forEach(({ resolve }, index) => resolve(outputs[index] as Output));
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

/** Shorter texts than this share of the longest wait for a run of their own, where there is much to pad. */
const alike = 0.6;
/** Cells that a run costs anyway. */
const cheapCells = 128;

/** Takes a batch out of `waiting`; those whose callers have gone leave it too. */
export function takeBatch<Input, Output>(
  waiting: Waiting<Input, Output>[],
  { mostRows, mostCells }: Pick<BatchOptions<Input, Output>, "mostRows" | "mostCells">,
): readonly Waiting<Input, Output>[] {
  const alive = waiting.splice(0).filter(({ signal, reject }) => {
    if (signal?.aborted) reject(abortError(signal));
    return !signal?.aborted;
  });
  const [oldest] = alive;
  if (!oldest) return [];
  const distance = ({ length }: Waiting<Input, Output>): number => Math.abs(length - oldest.length);
  let [longest, shortest] = [oldest.length, oldest.length];
  const batch = new Set<Waiting<Input, Output>>();
  for (const one of alive.toSorted((a, b) => distance(a) - distance(b))) {
    const [most, least] = [Math.max(longest, one.length), Math.min(shortest, one.length)];
    const cells = most * (batch.size + 1);
    const wasteful = least < alike * most && cells > cheapCells;
    if (batch.size > 0 && (batch.size >= mostRows || cells > mostCells || wasteful)) continue;
    [longest, shortest] = [most, least];
    batch.add(one);
  }
  waiting.push(...alive.filter((one) => !batch.has(one)));
  return [...batch];
}
