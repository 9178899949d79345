import { expect, test } from "vitest";
import { HearthError } from "../error.ts";
import { createTestHouse, gibibyte, modelOf, settle, type TestHouse } from "../../test/runtime-house.ts";

async function failOnce({ runtime, engine }: TestHouse, message = "illegal instruction"): Promise<void> {
  engine.holdLoads = true;
  const lease = runtime.acquire({ model: "a" });
  await settle();
  engine.last("a").fail(new Error(message));
  await expect(lease).rejects.toMatchObject({ code: "engine_load_failed" });
}

test("when the engine dies, its memory is free, others go on, and the next request loads it again", async () => {
  const { runtime, engine } = createTestHouse();
  const victim = await runtime.acquire({ model: "a" });
  const other = await runtime.acquire({ model: "b" });
  engine.last("a").die();
  await settle();
  expect(runtime.loaded().map(({ name }) => name)).toEqual(["b:latest"]);
  expect(runtime.stats()).toMatchObject({ engineDeaths: 1, usedBytes: gibibyte, running: 2 });
  victim.release();
  const again = await runtime.acquire({ model: "a" });
  expect(again.loaded).not.toBe(victim.loaded);
  again.release();
  other.release();
  expect(runtime.stats()).toMatchObject({ loads: 3, running: 0 });
});

test("who waited for a turn when the engine died gets it from the next engine", async () => {
  const { runtime, engine } = createTestHouse({ settings: { parallel: 1 } });
  const victim = await runtime.acquire({ model: "a" });
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  engine.last("a").die();
  const lease = await waiting;
  expect(lease.loaded).not.toBe(victim.loaded);
  // The late release of the dead engine's request does not open a second turn on the new one.
  victim.release();
  expect(runtime.loaded()).toMatchObject([{ running: 1 }]);
});

test("an engine that dies while idle leaves no timer", async () => {
  const { runtime, engine, clock } = createTestHouse();
  (await runtime.acquire({ model: "a" })).release();
  expect(clock.timers).toBe(1);
  engine.last("a").die();
  await settle();
  expect(clock.timers).toBe(0);
});

test("the end of an engine that was unloaded on purpose is not a death", async () => {
  const { runtime, engine, clock } = createTestHouse({ settings: { keepAlive: 10 } });
  (await runtime.acquire({ model: "a" })).release();
  engine.holdDispose = true;
  await clock.advance(10);
  engine.last("a").letGo();
  await settle();
  expect(runtime.stats().engineDeaths).toBe(0);
});

test("a fourth failure within a minute: the model is refused for half a minute, with the engine's own words", async () => {
  const house = createTestHouse();
  for (let turn = 0; turn < 4; turn++) await failOnce(house, `illegal instruction ${turn}`);
  await house.clock.advance(10_000);
  await expect(house.runtime.acquire({ model: "a" })).rejects.toMatchObject({
    code: "engine_failed",
    message: /"a:latest" failed 4 times within a minute.*20 s.*illegal instruction 3/,
    retryAfterSeconds: 20,
  });
  expect(house.engine.loads).toHaveLength(4);
  house.engine.holdLoads = false;
  (await house.runtime.acquire({ model: "b" })).release();
  await house.clock.advance(20_000);
  (await house.runtime.acquire({ model: "a" })).release();
  expect(house.runtime.stats().loads).toBe(2);
});

test("deaths count like failed loads, and those who wait are told instead of waiting for ever", async () => {
  const { runtime, engine } = createTestHouse({ settings: { parallel: 1 } });
  for (let turn = 0; turn < 4; turn++) {
    await runtime.acquire({ model: "a" });
    if (turn < 3) engine.last("a").die();
    await settle();
  }
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  engine.last("a").die();
  await expect(waiting).rejects.toMatchObject({ code: "engine_failed", message: /its engine ended by itself/ });
  expect(runtime.stats()).toMatchObject({ engineDeaths: 4, refused: 1, waiting: 0 });
});

test("failures that are more than a minute apart are no loop", async () => {
  const house = createTestHouse();
  for (let turn = 0; turn < 10; turn++) {
    await failOnce(house);
    await house.clock.advance(20_001);
  }
  expect(house.engine.loads).toHaveLength(10);
});

test("a missing engine is no crash: the user may install it and try as often as needed", async () => {
  const { runtime, engine } = createTestHouse({ models: [modelOf("a", gibibyte)] });
  engine.holdLoads = true;
  for (let turn = 0; turn < 6; turn++) {
    const lease = runtime.acquire({ model: "a" });
    await settle();
    engine.last("a").fail(new HearthError("engine_missing", "The llama engine is not installed."));
    await expect(lease).rejects.toMatchObject({ code: "engine_missing" });
  }
});
