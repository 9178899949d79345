import { expect, test } from "vitest";
import { createTaskHouse } from "../../test/task-house.ts";
import { createTestHouse } from "../../test/runtime-house.ts";
import type { Lease, Runtime } from "./contract.ts";

/** Generates the two tokens of the house's reply for a prompt of three. */
async function ask(runtime: Runtime): Promise<void> {
  const lease = await runtime.acquire({ model: "tiny" });
  await generate(lease);
  lease.release();
}

async function generate({ loaded }: Lease): Promise<void> {
  const prompt = [{ text: "one two three", special: false }];
  for await (const _event of loaded.generate?.({ prompt, sampling: {} }) ?? []);
}

const counters = (runtime: Runtime) => runtime.totals().map((row) => row.counters);

test("a loaded model's status has what its engine says of itself", async () => {
  const { runtime } = createTaskHouse({ reply: "hello there" });
  await ask(runtime);
  expect(runtime.loaded()[0]?.stats).toMatchObject({ running: 0, promptTokens: 3, generatedTokens: 2 });
});

test("counters go on where they were when a model is unloaded and loaded again", async () => {
  const { runtime, engine } = createTaskHouse({ reply: "hello there" });
  await ask(runtime);
  const first = { steps: 3, promptTokens: 3, cachedTokens: 0, generatedTokens: 2 };
  expect(counters(runtime)).toMatchObject([first]);
  await runtime.stop("tiny");
  expect(runtime.loaded()).toEqual([]);
  expect(counters(runtime)).toMatchObject([first]);
  await ask(runtime);
  expect(engine.loads).toBe(2);
  expect(counters(runtime)).toMatchObject([{ steps: 6, promptTokens: 6, cachedTokens: 0, generatedTokens: 4 }]);
});

test("what an engine did before it died counts", async () => {
  const { runtime, loaded } = createTaskHouse({ reply: "hello there" });
  await ask(runtime);
  loaded().die();
  await loaded().died;
  await new Promise(setImmediate);
  expect(runtime.loaded()).toEqual([]);
  expect(counters(runtime)).toMatchObject([{ promptTokens: 3, generatedTokens: 2 }]);
});

test("an engine without statistics has none, and its requests are measured all the same", async () => {
  const { runtime } = createTestHouse();
  (await runtime.acquire({ model: "a" })).release();
  expect(runtime.loaded()[0]?.stats).toBeUndefined();
  const [row] = runtime.totals();
  expect(row?.counters).toBeUndefined();
  expect(row?.latency.duration.counts.reduce((sum, count) => sum + count, 0)).toBe(1);
});
