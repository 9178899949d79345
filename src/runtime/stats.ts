/** Counters of the runtime, and how long requests take: the base of every Retry-After. */
export interface Counters {
  loads: number;
  loadFailures: number;
  evictions: number;
  sleeps: number;
  wakes: number;
  engineDeaths: number;
  refused: number;
}

export function createCounters(): Counters {
  return { loads: 0, loadFailures: 0, evictions: 0, sleeps: 0, wakes: 0, engineDeaths: 0, refused: 0 };
}

/** Weight of the newest request in the moving average. */
const newest = 0.2;
const longestRetrySeconds = 600;

export interface ServiceTimes {
  record(model: string, ms: number): void;
  /** Seconds until a request that finds `waiting` others before it should try again; 1 to 600. */
  retryAfterSeconds(model: string, waiting: number, parallel: number): number;
}

export function createServiceTimes(): ServiceTimes {
  const averages = new Map<string, number>();
  let overall: number | undefined;
  const blend = (average: number | undefined, ms: number): number =>
    average === undefined ? ms : average + newest * (ms - average);
  return {
    record(model, ms) {
      averages.set(model, blend(averages.get(model), ms));
      overall = blend(overall, ms);
    },
    retryAfterSeconds(model, waiting, parallel) {
      const ms = averages.get(model) ?? overall ?? 0;
      const rounds = (waiting + 1) / Math.max(1, parallel);
      return Math.min(longestRetrySeconds, Math.max(1, Math.ceil((rounds * ms) / 1000)));
    },
  };
}
