/** Several generations of one request as one stream of events. */
import type { ChatEvent } from "../../spec/event.ts";
import type { Started } from "../shared/start.ts";
import { startEvents } from "../shared/start.ts";

/** So many run at once: enough to fill a batch, and each is being read, so none waits for another's turn. */
const concurrency = 8;

export interface MergeOptions {
  /** Completions of each run; answer i of run r gets the index r × n + i. */
  readonly n: number;
  /** The caller's; what the runs get also aborts when one of them fails. */
  readonly signal: AbortSignal;
}

type Begin = (signal: AbortSignal) => AsyncIterable<ChatEvent>;

interface Run {
  readonly iterator: AsyncIterator<ChatEvent>;
  readonly offset: number;
}

interface Arrival {
  readonly run: Run;
  readonly result?: IteratorResult<ChatEvent>;
  readonly failure?: { readonly reason: unknown };
}

/** Starts the first run; the others begin as the stream is read, so an early refusal costs nothing. */
export async function startAll(runs: readonly Begin[], { n, signal }: MergeOptions): Promise<Started> {
  const [first, ...rest] = runs;
  if (!first) throw new RangeError("There is nothing to run.");
  const own = new AbortController();
  const shared = rest.length === 0 ? signal : AbortSignal.any([signal, own.signal]);
  const started = await startEvents(first(shared));
  if (rest.length === 0) return started;
  const more = rest.map((begin) => () => begin(shared));
  return { start: started.start, events: { [Symbol.asyncIterator]: () => mergeRuns(started, more, { n, own }) } };
}

function mergeRuns(
  started: Started,
  rest: readonly (() => AsyncIterable<ChatEvent>)[],
  { n, own }: { readonly n: number; readonly own: AbortController },
): AsyncIterator<ChatEvent> {
  const arrivals: Arrival[] = [];
  const active = new Set<Run>();
  let begun = 0;
  let wake: (() => void) | undefined;

  const advance = (run: Run): void => {
    const arrive = (arrival: Arrival): void => {
      arrivals.push(arrival);
      wake?.();
    };
    run.iterator.next().then(
      (result) => arrive({ run, result }),
      (reason: unknown) => arrive({ run, failure: { reason } }),
    );
  };
  const begin = (events: AsyncIterable<ChatEvent>, offset: number): void => {
    const run = { iterator: events[Symbol.asyncIterator](), offset };
    active.add(run);
    advance(run);
  };
  /** Not awaited: a run that is in the middle of a step ends with it, which the signal makes soon. */
  const closeAll = (): void => {
    own.abort();
    for (const { iterator } of active) iterator.return?.().catch(() => {});
    active.clear();
    begun = rest.length;
  };

  begin(started.events, 0);
  return {
    async next() {
      for (;;) {
        for (; active.size < concurrency && begun < rest.length; begun++) {
          const next = rest[begun];
          if (next) begin(next(), (begun + 1) * n);
        }
        if (active.size === 0) return { done: true, value: undefined };
        const arrival = arrivals.shift();
        if (!arrival) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        if (arrival.failure) {
          active.delete(arrival.run);
          closeAll();
          throw arrival.failure.reason;
        }
        if (arrival.result?.done === false) {
          advance(arrival.run);
          return { done: false, value: shift(arrival.result.value, arrival.run.offset) };
        }
        active.delete(arrival.run);
      }
    },
    async return() {
      closeAll();
      return { done: true, value: undefined };
    },
  };
}

function shift(event: ChatEvent, offset: number): ChatEvent {
  return event.type === "start" || offset === 0 ? event : { ...event, index: event.index + offset };
}
