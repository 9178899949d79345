import type { Sample } from "./loop.ts";
import { percentile } from "../statistics.ts";

/** One side of the comparison: hearth, or the raw engine. */
export interface TaskContestant {
  readonly name: string;
  /** The tasks that it can be asked for. */
  readonly tasks: readonly string[];
  load(): Promise<void>;
  measure(task: string, clients: number): Promise<Sample>;
  /** Of its process, as the system counts it after the last call; undefined: it does not say. */
  residentBytes(): number | undefined;
  unload(): Promise<void>;
}

/** Figures by name: times in milliseconds, rates in items a second, memory in bytes. */
export type Row = Readonly<Record<string, number>>;

/** One round of one contestant: `model` is what the loaded model costs, the rest are figures of each task. */
export type TaskFigures = Readonly<Record<string, Row>>;

export interface RoundOptions {
  /** Items of one call of each task, e.g. seconds of sound. */
  readonly perCall: Readonly<Record<string, number>>;
  readonly clients: readonly number[];
}

/** One round: each figure of one contestant after the other while all are loaded. Who begins changes each time. */
export async function measureTaskRound(
  contestants: readonly TaskContestant[],
  { perCall, clients }: RoundOptions,
): Promise<TaskFigures[]> {
  const figures = contestants.map((): Record<string, Record<string, number>> => ({ model: {} }));
  const loaded: TaskContestant[] = [];
  let turns = 0;
  const inTurn = async (measure: (contestant: TaskContestant) => Promise<Row>, section: string): Promise<void> => {
    const order = turns++ % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of order) {
      if (section !== "model" && !contestant.tasks.includes(section)) continue;
      const all = figures[contestants.indexOf(contestant)];
      if (all) all[section] = { ...all[section], ...(await measure(contestant)) };
    }
  };
  try {
    await inTurn(async (contestant) => {
      const start = performance.now();
      await contestant.load();
      loaded.push(contestant);
      return { load: performance.now() - start };
    }, "model");
    for (const [task, items] of Object.entries(perCall)) {
      for (const count of [1, ...clients.filter((other) => other !== 1)]) {
        await inTurn(async (contestant) => toRow(await contestant.measure(task, count), count, items), task);
      }
    }
    await inTurn(async (contestant) => {
      const memory = contestant.residentBytes();
      return memory === undefined ? {} : { memory };
    }, "model");
    return figures;
  } finally {
    for (const contestant of loaded) await contestant.unload();
  }
}

function toRow({ times, wallMs }: Sample, clients: number, items: number): Row {
  const rate = (times.length * items * 1000) / wallMs;
  const alone = { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
  return { ...(clients === 1 && alone), [`clients${clients}`]: rate };
}
