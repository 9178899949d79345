/** How long requests take, by model: measured where their turns begin and end and where their tokens pass. */
import type { GenerateEvent } from "../spec/event.ts";
import type { Latency } from "../spec/stats.ts";
import { createHistogram, type Histogram } from "../util/histogram.ts";

/** Seconds. Near enough to each other that a percentile read from them is of use. */
const bounds = [
  0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 2, 3, 5, 7, 10, 20, 30,
  60,
];

type Histograms = { readonly [Name in keyof Latency]: Histogram };

/** A request that has its turn. Times are milliseconds of the runtime's clock. */
export interface Turn {
  readonly arrivedAt: number;
  readonly queueMs: number;
  readonly loadMs: number;
}

/** Measures one request. */
export interface Stopwatch {
  /** The same events; the time of each token is taken as it passes. */
  readonly watch: (events: AsyncIterable<GenerateEvent>) => AsyncIterable<GenerateEvent>;
  end(): void;
}

export class Latencies {
  readonly #models = new Map<string, Histograms>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(model: string, turn: Turn): Stopwatch {
    return createStopwatch(this.#of(model), turn, this.#now);
  }

  read(model: string): Latency {
    const { firstToken, betweenTokens, duration, queue } = this.#of(model);
    return {
      firstToken: firstToken.read(),
      betweenTokens: betweenTokens.read(),
      duration: duration.read(),
      queue: queue.read(),
    };
  }

  #of(model: string): Histograms {
    const known = this.#models.get(model);
    if (known) return known;
    const [firstToken, betweenTokens] = [createHistogram(bounds), createHistogram(bounds)];
    const [duration, queue] = [createHistogram(bounds), createHistogram(bounds)];
    const made = { firstToken, betweenTokens, duration, queue };
    this.#models.set(model, made);
    return made;
  }
}

function createStopwatch(times: Histograms, { arrivedAt, queueMs, loadMs }: Turn, now: () => number): Stopwatch {
  let queued = true;
  let silent = true;
  const leaveQueue = (waitedMs: number): void => {
    if (queued) times.queue.observe(waitedMs / 1000);
    queued = false;
  };
  /** Of one answer; a request may have several. */
  const createObserver = (): ((event: GenerateEvent) => void) => {
    let lastAt: number | undefined;
    return (event) => {
      // The engine may have had a queue of its own.
      if (event.type === "prompt-start") leaveQueue(now() - arrivedAt - loadMs);
      if (event.type !== "token-delta" || event.tokens.length === 0) return;
      const at = now();
      if (silent) times.firstToken.observe((at - arrivedAt) / 1000);
      silent = false;
      const count = event.tokens.length;
      if (lastAt !== undefined) times.betweenTokens.observe((at - lastAt) / 1000 / count, count);
      lastAt = at;
    };
  };
  return {
    watch: (events) => tap(events, createObserver),
    end() {
      leaveQueue(queueMs);
      times.duration.observe((now() - arrivedAt) / 1000);
    },
  };
}

/** The reader's `return` goes straight to the source, even while a read is in progress. */
function tap<T>(source: AsyncIterable<T>, createObserver: () => (value: T) => void): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      const observe = createObserver();
      return {
        async next() {
          const result = await iterator.next();
          if (result.done !== true) observe(result.value);
          return result;
        },
        async return() {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
