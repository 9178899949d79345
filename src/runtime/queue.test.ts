import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import type { Lease } from "./contract.ts";
import { createTestHouse, outcome, settle } from "../../test/runtime-house.ts";

test("no more requests run than the model has sequences; the others get their turn in order of arrival", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 2 } });
  const order: number[] = [];
  const leases: Lease[] = [];
  const done = Array.from({ length: 6 }, async (_, index) => {
    const lease = await runtime.acquire({ model: "a" });
    order.push(index);
    leases.push(lease);
  });
  await settle();
  expect(order).toEqual([0, 1]);
  expect(runtime.stats()).toMatchObject({ running: 2, waiting: 4 });
  for (let turn = 0; turn < 6; turn++) {
    leases[turn]?.release();
    await settle();
    expect(order).toHaveLength(Math.min(6, turn + 3));
  }
  await Promise.all(done);
  expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  expect(runtime.stats()).toMatchObject({ running: 0, waiting: 0 });
});

test("when the engine gives fewer sequences than planned, those count", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const leases = [1, 2, 3].map(() => runtime.acquire({ model: "a" }));
  await settle();
  engine.last("a").finish({ parallel: 2 });
  expect(await Promise.all(leases.map(outcome))).toEqual(["fulfilled", "fulfilled", "pending"]);
});

test("a request that finds the queue full is refused at once with 503 and a time to try again", async () => {
  const { runtime, clock } = createTestHouse({ settings: { parallel: 1, queue: 2 } });
  const first = await runtime.acquire({ model: "a" });
  await clock.advance(4000);
  first.release();
  const running = await runtime.acquire({ model: "a" });
  const waiting = [runtime.acquire({ model: "a" }), runtime.acquire({ model: "a" })];
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({
    code: "queue_full",
    status: 503,
    // Two wait before it, each takes four seconds: the third turn comes after twelve.
    retryAfterSeconds: 12,
    message: /2 requests are waiting/,
  });
  expect(runtime.stats()).toMatchObject({ refused: 1, waiting: 2, running: 1 });
  running.release();
  for (const each of waiting) (await each).release();
});

test("with several sequences the time to try again is shorter", async () => {
  const { runtime, clock } = createTestHouse({ settings: { parallel: 2, queue: 3 } });
  const first = await runtime.acquire({ model: "a" });
  await clock.advance(4000);
  first.release();
  for (let index = 0; index < 5; index++) void runtime.acquire({ model: "a" });
  await settle();
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({ retryAfterSeconds: 8 });
});

test("without any experience the time to try again is a second, and never more than ten minutes", async () => {
  const { runtime, clock } = createTestHouse({ settings: { parallel: 1, queue: 0 } });
  const first = await runtime.acquire({ model: "a" });
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({ retryAfterSeconds: 1 });
  await clock.advance(86_400_000);
  first.release();
  await runtime.acquire({ model: "a" });
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({ retryAfterSeconds: 600 });
});

test("who came first has the first turn, even when looking up its model took longer", async () => {
  const { runtime, library } = createTestHouse({ settings: { parallel: 1 } });
  const running = await runtime.acquire({ model: "a" });
  const inspect = library.inspect.bind(library);
  const slow = Promise.withResolvers<void>();
  library.inspect = async (model) => {
    library.inspect = inspect;
    await slow.promise;
    return await inspect(model);
  };
  const first = runtime.acquire({ model: "a" });
  const second = runtime.acquire({ model: "a" });
  await settle();
  slow.resolve();
  await settle();
  running.release();
  expect(await outcome(second)).toBe("pending");
  (await first).release();
  (await second).release();
});

test("a granted, a refused and a failed request leave no listener on their signal", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1, queue: 0 } });
  const { signal } = new AbortController();
  await runtime.acquire({ model: "a", signal });
  await expect(runtime.acquire({ model: "a", signal })).rejects.toMatchObject({ code: "queue_full" });
  await expect(runtime.acquire({ model: "nope", signal })).rejects.toMatchObject({ code: "model_not_found" });
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("of a burst on a model that is not loaded exactly those are refused that find neither a turn nor a place", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 4, queue: 10 } });
  const settled: string[] = [];
  const leases: Lease[] = [];
  const burst = Array.from({ length: 140 }, async () => {
    try {
      leases.push(await runtime.acquire({ model: "a" }));
      settled.push("turn");
    } catch (error) {
      settled.push((error as { code: string }).code);
    }
  });
  await settle();
  await settle();
  expect(settled.filter((each) => each === "queue_full")).toHaveLength(140 - 4 - 10);
  expect(leases).toHaveLength(4);
  while (leases.length > 0) {
    leases.shift()?.release();
    await settle();
  }
  await Promise.all(burst);
  expect(settled.filter((each) => each === "turn")).toHaveLength(14);
});

test("the limit is for all models together", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1, queue: 1 } });
  await runtime.acquire({ model: "a" });
  await runtime.acquire({ model: "b" });
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  await expect(runtime.acquire({ model: "b" })).rejects.toMatchObject({ code: "queue_full" });
  expect(await outcome(waiting)).toBe("pending");
});

test("without any queue a first request still loads its model", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1, queue: 0 } });
  const lease = await runtime.acquire({ model: "a" });
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({ code: "queue_full" });
  lease.release();
  (await runtime.acquire({ model: "a" })).release();
});

test("a request that is cancelled while it waits frees its place at once", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1, queue: 1 } });
  const running = await runtime.acquire({ model: "a" });
  const abort = new AbortController();
  const waiting = runtime.acquire({ model: "a", signal: abort.signal });
  await settle();
  expect(runtime.stats().waiting).toBe(1);
  abort.abort();
  expect(runtime.stats().waiting).toBe(0);
  await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  const next = runtime.acquire({ model: "a" });
  await settle();
  running.release();
  expect((await next).loaded).toBe(running.loaded);
});

test("a request that is cancelled before it begins loads nothing", async () => {
  const { runtime, engine } = createTestHouse();
  await expect(runtime.acquire({ model: "a", signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  const abort = new AbortController();
  const lookedUp = runtime.acquire({ model: "a", signal: abort.signal });
  abort.abort();
  await expect(lookedUp).rejects.toMatchObject({ code: "aborted" });
  await settle();
  expect(engine.loads).toHaveLength(0);
  await runtime.drain();
});

test("a request that is cancelled in the moment of its turn gives the turn back", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1 } });
  const running = await runtime.acquire({ model: "a" });
  const abort = new AbortController();
  const waiting = runtime.acquire({ model: "a", signal: abort.signal });
  await settle();
  running.release();
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  expect(runtime.stats().running).toBe(0);
});

test("releasing twice counts once", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 2 } });
  const first = await runtime.acquire({ model: "a" });
  await runtime.acquire({ model: "a" });
  first.release();
  first.release();
  expect(runtime.stats().running).toBe(1);
});

test("ten thousand cancelled requests leave no listener, no place and no turn behind", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1, queue: 20_000 } });
  const running = await runtime.acquire({ model: "a" });
  for (let batch = 0; batch < 100; batch++) {
    const abort = new AbortController();
    const waiting = Array.from({ length: 100 }, () => outcomeOf(runtime.acquire({ model: "a", signal: abort.signal })));
    await settle();
    abort.abort();
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 100 }, () => "aborted"));
  }
  expect(runtime.stats()).toMatchObject({ running: 1, waiting: 0 });
  running.release();
  await runtime.drain();
});

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "turn";
  } catch (error) {
    return (error as { code: string }).code;
  }
}
