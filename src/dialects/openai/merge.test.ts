import { expect, test } from "vitest";
import type { ChatEvent } from "../../spec/event.ts";
import { startAll } from "./merge.ts";

const { signal } = new AbortController();

interface Run {
  readonly events: (signal: AbortSignal) => AsyncIterable<ChatEvent>;
  begun: boolean;
  aborted: boolean;
  closed: boolean;
}

/** A run that says its name, and stays open until `release`. */
function createRun(name: string, options: { readonly release?: Promise<void>; readonly failure?: Error } = {}): Run {
  const run: Run = { events, begun: false, aborted: false, closed: false };
  async function* events(given: AbortSignal): AsyncIterable<ChatEvent> {
    run.begun = true;
    given.addEventListener("abort", () => (run.aborted = true));
    try {
      yield { type: "start", model: name };
      yield { type: "text-delta", index: 0, text: name };
      await options.release;
      if (options.failure) throw options.failure;
      yield { type: "text-delta", index: 1, text: name };
    } finally {
      run.closed = true;
    }
  }
  return run;
}

async function read(events: AsyncIterable<ChatEvent>): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of events) if (event.type === "text-delta") seen.push(`${event.index}${event.text}`);
  return seen.sort();
}

test("answers to several prompts are numbered one after another", async () => {
  const { start, events } = await startAll([createRun("a").events, createRun("b").events], { n: 2, signal });
  expect(start.model).toBe("a");
  expect(await read(events)).toEqual(["0a", "1a", "2b", "3b"]);
});

test("prompts run side by side, but only eight at once", async () => {
  const gate = Promise.withResolvers<void>();
  const runs = Array.from({ length: 12 }, (_, i) => createRun(String(i), { release: gate.promise }));
  const { events } = await startAll(
    runs.map((run) => run.events),
    { n: 2, signal },
  );
  expect(runs.filter((run) => run.begun)).toHaveLength(1);
  const iterator = events[Symbol.asyncIterator]();
  for (let i = 0; i < 15; i++) await iterator.next();
  expect(runs.filter((run) => run.begun)).toHaveLength(8);
  gate.resolve();
  while ((await iterator.next()).done !== true);
  expect(runs.every((run) => run.closed)).toBe(true);
});

test("the failure of one prompt ends the request and lets go of the others", async () => {
  const never = new Promise<void>(() => {});
  const runs = [createRun("a", { release: never }), createRun("b", { failure: new Error("boom") })];
  const { events } = await startAll(
    runs.map((run) => run.events),
    { n: 2, signal },
  );
  const iterator = events[Symbol.asyncIterator]();
  await expect(
    (async () => {
      for (;;) if ((await iterator.next()).done === true) return;
    })(),
  ).rejects.toThrow("boom");
  expect(runs[0]?.aborted).toBe(true);
});
