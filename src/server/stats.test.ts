import { expect, test } from "vitest";
import { createTaskHouse } from "../../test/task-house.ts";
import { createTestHouse } from "../../test/runtime-house.ts";
import type { LoadedStatus, Runtime } from "../runtime/contract.ts";
import { noStats } from "../spec/stats.ts";
import { countOf } from "../util/histogram.ts";
import { toStats } from "./stats.ts";

/** The same runtime, where the engine of its model said something else. */
function saying(runtime: Runtime, status: Partial<LoadedStatus>): Runtime {
  return { ...runtime, loaded: () => runtime.loaded().map((row) => ({ ...row, ...status })) };
}

async function ready(): Promise<Runtime> {
  const { runtime } = createTaskHouse();
  (await runtime.acquire({ model: "tiny" })).release();
  return runtime;
}

test("a loaded model has its state, its sums and its times", async () => {
  const { models } = toStats(await ready());
  expect(models).toMatchObject([
    {
      name: "tiny:latest",
      state: "ready",
      engine: "fake",
      running: 0,
      waiting: 0,
      counters: { steps: 0 },
      diskBytes: 0,
    },
  ]);
  expect(models[0]?.latency && countOf(models[0].latency.duration)).toBe(1);
});

test("those who wait in the engine count as waiting, not as running", async () => {
  const runtime = saying(await ready(), { running: 12, waiting: 5, stats: { ...noStats, running: 8, waiting: 4 } });
  expect(toStats(runtime).models[0]).toMatchObject({ running: 8, waiting: 9 });
});

test("where the engine says nothing, turns count as running", async () => {
  const { runtime } = createTestHouse();
  const lease = await runtime.acquire({ model: "a" });
  const [model] = toStats(runtime).models;
  expect(model).toMatchObject({ running: 1, waiting: 0 });
  expect(model).not.toHaveProperty("counters");
  lease.release();
});

test("counters are of when the engine spoke; a long silence means that nothing has changed", async () => {
  const spoke = saying(await ready(), { stats: { ...noStats, atMs: 9500 } });
  expect(toStats(spoke, 10_000).models[0]?.counters?.atMs).toBe(9500);
  expect(toStats(spoke, 60_000).models[0]?.counters?.atMs).toBe(60_000);
});

test("a model that sleeps keeps its sums and its times, and has no cache in memory", async () => {
  const asleep = saying(await ready(), { state: "asleep" });
  const [model] = toStats(asleep).models;
  expect(model).toMatchObject({ state: "asleep", counters: { steps: 0 }, diskBytes: 0 });
  expect(model).toHaveProperty("latency");
  expect(model).not.toHaveProperty("blocks");
});

test("a model that is loading has no figures yet", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const waiting = runtime.acquire({ model: "a" });
  await new Promise(setImmediate);
  const { models } = toStats(runtime);
  expect(models).toMatchObject([{ name: "a:latest", state: "loading", waiting: 1 }]);
  expect(models[0]).not.toHaveProperty("latency");
  engine.last("a").finish();
  (await waiting).release();
});
