/** Crash loops: a model that keeps failing is refused for a while instead of being loaded again and again. */
import { HearthError } from "../error.ts";

const windowMs = 60_000;
const mostFailures = 3;
const refusalMs = 30_000;

export interface Failures {
  record(model: string, reason: string): void;
  /** Why the model is not loaded now, or undefined. */
  refusal(model: string): HearthError | undefined;
}

interface Record {
  times: number[];
  reason: string;
  refusedUntil: number;
}

export function createFailures(now: () => number): Failures {
  const records = new Map<string, Record>();
  const forget = (): void => {
    for (const [model, { times, refusedUntil }] of records) {
      if ((times.at(-1) ?? 0) + windowMs < now() && refusedUntil <= now()) records.delete(model);
    }
  };
  return {
    record(model, reason) {
      forget();
      const times = [...(records.get(model)?.times ?? []), now()].filter((time) => time > now() - windowMs);
      records.set(model, { times, reason, refusedUntil: times.length > mostFailures ? now() + refusalMs : 0 });
    },
    refusal(model) {
      const record = records.get(model);
      if (!record || record.refusedUntil <= now()) return undefined;
      const seconds = Math.ceil((record.refusedUntil - now()) / 1000);
      return new HearthError(
        "engine_failed",
        `Model "${model}" failed ${record.times.length} times within a minute and is not loaded again for ${seconds} s. ` +
          `The last time: ${record.reason}`,
        {
          hint: "Try again later, with other load options, or check the file with `hearth verify`.",
          details: { model, failures: record.times.length, retryAfterSeconds: seconds },
          retryAfterSeconds: seconds,
        },
      );
    },
  };
}
