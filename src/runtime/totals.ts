/** What was done for each model since the start. A model that is loaded again does not begin again at 0. */
import type { EngineStats } from "../spec/engine.ts";
import { addCounters, type EngineCounters, noStats } from "../spec/stats.ts";
import type { ModelTotals } from "./contract.ts";
import type { Instance } from "./instance.ts";
import { Latencies, type Stopwatch, type Turn } from "./latency.ts";

export class Totals {
  /** Of the loads that are over. Undefined: engines without statistics. */
  readonly #past = new Map<string, EngineCounters | undefined>();
  readonly #latencies: Latencies;

  constructor(now: () => number) {
    this.#latencies = new Latencies(now);
  }

  begin(model: string, turn: Turn): Stopwatch {
    return this.#latencies.begin(model, turn);
  }

  /** Keeps what an instance did, as its engine said last. */
  keep({ key, loaded }: Instance): void {
    if (loaded) this.#past.set(key, sum(this.#past.get(key), loaded.stats?.()));
  }

  /** What past loads and the present ones did, of every model that was ever loaded. */
  read(present: readonly Instance[]): readonly ModelTotals[] {
    const all = new Map(this.#past);
    for (const { key, loaded } of present) if (loaded) all.set(key, sum(all.get(key), loaded.stats?.()));
    return [...all].map(([name, counters]) => ({ name, counters, latency: this.#latencies.read(name) }));
  }
}

function sum(before: EngineCounters | undefined, stats: EngineStats | undefined): EngineCounters | undefined {
  return stats ? addCounters(before ?? noStats, stats) : before;
}
