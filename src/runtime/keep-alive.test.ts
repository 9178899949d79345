import { expect, test } from "vitest";
import { longestTimeoutMs } from "./clock.ts";
import { createTestHouse, settle } from "../../test/runtime-house.ts";

test("an idle model is unloaded when its time is over, and not before", async () => {
  const { runtime, engine, clock } = createTestHouse({ settings: { keepAlive: 1000 } });
  const lease = await runtime.acquire({ model: "a" });
  await clock.advance(5000);
  expect(engine.last("a").state).toBe("loaded");
  lease.release();
  expect(runtime.loaded()[0]?.expiresAt).toEqual(new Date(clock.now() + 1000));
  await clock.advance(999);
  expect(engine.last("a").state).toBe("loaded");
  await clock.advance(1);
  expect(engine.last("a").state).toBe("gone");
  expect(runtime.loaded()).toEqual([]);
  expect(runtime.stats()).toMatchObject({ usedBytes: 0, evictions: 0 });
  expect(clock.timers).toBe(0);
});

test("every request starts the time anew", async () => {
  const { runtime, engine, clock } = createTestHouse({ settings: { keepAlive: 1000 } });
  for (let turn = 0; turn < 3; turn++) {
    (await runtime.acquire({ model: "a" })).release();
    await clock.advance(900);
  }
  expect(engine.loads).toHaveLength(1);
  expect(clock.timers).toBe(1);
});

test("the request that ends last decides how long the model stays", async () => {
  const { runtime, engine, clock } = createTestHouse({ settings: { keepAlive: 1000 } });
  const long = await runtime.acquire({ model: "a", keepAliveMs: 60_000 });
  const short = await runtime.acquire({ model: "a", keepAliveMs: 10 });
  long.release();
  expect(clock.timers).toBe(0);
  short.release();
  await clock.advance(10);
  expect(engine.last("a").state).toBe("gone");
});

test("with 0 the model is unloaded as soon as its last request ends", async () => {
  const { runtime, engine, clock } = createTestHouse();
  const lease = await runtime.acquire({ model: "a", keepAliveMs: 0 });
  expect(engine.last("a").state).toBe("loaded");
  lease.release();
  await settle();
  expect(engine.last("a").state).toBe("gone");
  expect(clock.timers).toBe(0);
});

test("with 0 the model stays for those who wait for it", async () => {
  const { runtime, engine } = createTestHouse({ settings: { parallel: 1 } });
  const lease = await runtime.acquire({ model: "a", keepAliveMs: 0 });
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  lease.release();
  expect((await waiting).loaded).toBe(lease.loaded);
  expect(engine.loads).toHaveLength(1);
});

test("with Infinity it stays for ever, but still makes room for others", async () => {
  const { runtime, engine, clock } = createTestHouse();
  (await runtime.acquire({ model: "a", keepAliveMs: Infinity })).release();
  expect(runtime.loaded()[0]?.expiresAt).toBeUndefined();
  expect(clock.timers).toBe(0);
  await clock.advance(1000 * 365 * 86_400_000);
  expect(engine.last("a").state).toBe("loaded");
  (await runtime.acquire({ model: "b" })).release();
  (await runtime.acquire({ model: "c" })).release();
  expect(engine.last("a").state).toBe("gone");
});

test("a time longer than Node's timers can take is kept all the same", async () => {
  const { runtime, engine, clock } = createTestHouse();
  (await runtime.acquire({ model: "a", keepAliveMs: 2.5 * longestTimeoutMs })).release();
  await clock.advance(2.4 * longestTimeoutMs);
  expect(engine.last("a").state).toBe("loaded");
  await clock.advance(0.1 * longestTimeoutMs);
  expect(engine.last("a").state).toBe("gone");
  expect(clock.timers).toBe(0);
});

test("a busy model says when it would go if its request ended now", async () => {
  const { runtime, clock } = createTestHouse({ settings: { keepAlive: 1000 } });
  await runtime.acquire({ model: "a" });
  expect(runtime.loaded()).toMatchObject([{ running: 1, expiresAt: new Date(clock.now() + 1000) }]);
});
