import { expect, test } from "vitest";
import {
  createTestHouse,
  gibibyte,
  mebibyte,
  modelOf,
  outcome,
  settle,
  type TestHouse,
  type TestHouseOptions,
} from "../../test/runtime-house.ts";
import type { AcquireRequest } from "./contract.ts";

/** Models of 1 GiB that can sleep, in a budget of 2 GiB; they keep 150 MiB asleep. */
function createHouse(options: TestHouseOptions = {}): TestHouse {
  const settings = { sleepAfter: 1000, keepAlive: 10_000, ...options.settings };
  const house = createTestHouse({ ...options, settings });
  house.engine.sleeps = true;
  return house;
}

/** Asks once, and calls the engine as a request would. */
async function use({ runtime }: TestHouse, request: AcquireRequest): Promise<void> {
  const lease = await runtime.acquire(request);
  await lease.loaded.tokenize([]);
  lease.release();
}

const states = ({ runtime }: TestHouse): string[] => runtime.loaded().map(({ name, state }) => `${name} ${state}`);

test("a model that nobody uses sleeps when its time is over, and not before", async () => {
  const house = createHouse();
  const { runtime, engine, clock } = house;
  const lease = await runtime.acquire({ model: "a" });
  await clock.advance(5000);
  lease.release();
  await clock.advance(999);
  expect([engine.last("a").rest, states(house)]).toEqual(["awake", ["a:latest ready"]]);
  await clock.advance(1);
  expect([engine.last("a").rest, states(house)]).toEqual(["asleep", ["a:latest asleep"]]);
  expect(runtime.stats()).toMatchObject({ usedBytes: 150 * mebibyte, sleeps: 1, wakes: 0 });
  expect(runtime.loaded()).toMatchObject([{ memory: { ramBytes: 0 } }]);
});

test("the next request wakes it, and the time to its sleep begins anew", async () => {
  const house = createHouse();
  const { runtime, engine, clock } = house;
  await use(house, { model: "a" });
  await clock.advance(1000);
  const lease = await runtime.acquire({ model: "a" });
  expect(states(house)).toEqual(["a:latest ready"]);
  await lease.loaded.tokenize([]);
  lease.release();
  expect(runtime.stats()).toMatchObject({ loads: 1, wakes: 1, usedBytes: gibibyte });
  await clock.advance(999);
  expect(engine.last("a").rest).toBe("awake");
  await clock.advance(1);
  expect(engine.last("a").rest).toBe("asleep");
});

test("it is unloaded as long after its last use as if it had never slept", async () => {
  const house = createHouse();
  await use(house, { model: "a" });
  const expiresAt = new Date(house.clock.now() + 10_000);
  await house.clock.advance(9999);
  expect(house.runtime.loaded()).toMatchObject([{ state: "asleep", expiresAt }]);
  await house.clock.advance(1);
  expect(house.engine.last("a").state).toBe("gone");
  expect(house.runtime.loaded()).toEqual([]);
  expect(house.clock.timers).toBe(0);
});

test.each([
  ["sleeping is off", { settings: { sleepAfter: Infinity } }, {}],
  ["the model goes before that anyway", { settings: { sleepAfter: 1000, keepAlive: 1000 } }, { keepAliveMs: 900 }],
])("nothing sleeps where %s", async (_, options, request) => {
  const house = createHouse(options);
  await use(house, { model: "a", ...request });
  await house.clock.advance(60_000);
  expect(house.runtime.stats()).toMatchObject({ sleeps: 0, usedBytes: 0 });
});

test("a model that stays for ever sleeps all the same", async () => {
  const house = createHouse();
  await use(house, { model: "a", keepAliveMs: Infinity });
  await house.clock.advance(86_400_000);
  expect(states(house)).toEqual(["a:latest asleep"]);
  expect(house.clock.timers).toBe(0);
});

test("a model whose engine cannot sleep stays awake", async () => {
  const house = createHouse();
  house.engine.sleeps = false;
  await use(house, { model: "a" });
  await house.clock.advance(5000);
  expect(states(house)).toEqual(["a:latest ready"]);
});

test("a request that comes while it falls asleep waits for that, and wakes it", async () => {
  const house = createHouse();
  house.engine.holdSleep = true;
  await use(house, { model: "a" });
  await house.clock.advance(1000);
  expect(states(house)).toEqual(["a:latest asleep"]);
  expect(house.runtime.stats().usedBytes).toBe(gibibyte);
  const lease = house.runtime.acquire({ model: "a" });
  expect(await outcome(lease)).toBe("pending");
  house.engine.last("a").doze();
  (await lease).release();
  expect(house.runtime.stats()).toMatchObject({ loads: 1, sleeps: 1, wakes: 1 });
});

test("idle models sleep to make room for another one, and are not unloaded", async () => {
  const house = createHouse({ settings: { memory: 2.5 * gibibyte } });
  await use(house, { model: "a" });
  await house.clock.advance(10);
  await use(house, { model: "b" });
  house.engine.holdSleep = true;
  const lease = house.runtime.acquire({ model: "c" });
  await settle();
  // Its room is free when the other sleeps, and not when it begins to.
  expect(house.engine.present("c")).toHaveLength(0);
  house.engine.last("a").doze();
  (await lease).release();
  expect(states(house)).toEqual(["a:latest asleep", "b:latest ready", "c:latest ready"]);
  expect(house.runtime.stats()).toMatchObject({ evictions: 0, sleeps: 1, usedBytes: 2 * gibibyte + 150 * mebibyte });
});

test("a sleeping model gets its turn only when its memory is free again", async () => {
  const house = createHouse({ settings: { memory: 2.5 * gibibyte } });
  await use(house, { model: "a" });
  await house.clock.advance(1000);
  const leases = [await house.runtime.acquire({ model: "b" }), await house.runtime.acquire({ model: "c" })];
  expect(states(house)).toEqual(["a:latest asleep", "b:latest ready", "c:latest ready"]);
  const waiting = house.runtime.acquire({ model: "a" });
  expect(await outcome(waiting)).toBe("pending");
  leases[0]?.release();
  (await waiting).release();
  expect(states(house)).toEqual(["a:latest ready", "b:latest asleep", "c:latest ready"]);
  expect(house.runtime.stats()).toMatchObject({ loads: 3, evictions: 0 });
});

test("two models that fit one at a time wake in turn, each while the other sleeps", async () => {
  const models = ["a", "b"].map((name) => modelOf(name, 1.5 * gibibyte));
  const house = createHouse({ models });
  for (let turn = 0; turn < 4; turn++) {
    for (const model of ["a", "b"]) {
      await use(house, { model });
      expect(house.engine.present().filter(({ rest }) => rest === "awake")).toHaveLength(1);
    }
  }
  expect(house.runtime.stats()).toMatchObject({ loads: 2, evictions: 0, sleeps: 7, wakes: 6 });
});

test("one that will not sleep for others is unloaded for them", async () => {
  const models = ["a", "b"].map((name) => modelOf(name, 1.5 * gibibyte));
  const house = createHouse({ models });
  await use(house, { model: "a" });
  house.engine.holdSleep = true;
  const lease = house.runtime.acquire({ model: "b" });
  await settle();
  house.engine.last("a").doze(false);
  (await lease).release();
  expect(states(house)).toEqual(["b:latest ready"]);
  expect(house.runtime.stats()).toMatchObject({ evictions: 1, sleeps: 0 });
});

test("one that would not sleep is asked again later", async () => {
  const house = createHouse({ settings: { sleepAfter: 0 } });
  house.engine.holdSleep = true;
  await use(house, { model: "a" });
  await house.clock.advance(0);
  house.engine.last("a").doze(false);
  await settle();
  await house.clock.advance(999);
  expect(states(house)).toEqual(["a:latest ready"]);
  house.engine.holdSleep = false;
  await house.clock.advance(1);
  expect(states(house)).toEqual(["a:latest asleep"]);
});

test("nobody waits any more for a model that waits for room: it sleeps on", async () => {
  const house = createHouse({ models: [modelOf("a", gibibyte), modelOf("b", 1.5 * gibibyte)] });
  await use(house, { model: "a" });
  await house.clock.advance(1000);
  const busy = await house.runtime.acquire({ model: "b" });
  const abort = new AbortController();
  const waiting = house.runtime.acquire({ model: "a", signal: abort.signal });
  expect(await outcome(waiting)).toBe("pending");
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  expect(states(house)).toEqual(["a:latest asleep", "b:latest ready"]);
  busy.release();
  await house.clock.advance(9000);
  expect(house.engine.last("a").state).toBe("gone");
});

test("a sleeping model with other options is loaded anew", async () => {
  const house = createHouse();
  await use(house, { model: "a" });
  await house.clock.advance(1000);
  await use(house, { model: "a", load: { contextTokens: 8192 } });
  expect(house.runtime.stats()).toMatchObject({ loads: 2, wakes: 0 });
  expect(house.engine.present("a")).toHaveLength(1);
});

test("a sleeping model that fits no more as it was is loaded anew with what fits", async () => {
  const models = [modelOf("a", gibibyte, { kvBytesPerToken: mebibyte / 8 })];
  const house = createHouse({ models, settings: { memory: undefined, parallel: 8 } });
  await use(house, { model: "a" });
  await house.clock.advance(1000);
  // Other programs have taken what it had.
  house.memory.availableBytes = 3 * gibibyte;
  const { choice, fits } = await house.runtime.plan("a");
  expect([fits, choice.reasons.at(-1)]).toEqual([true, expect.stringContaining("it does not fit any more")]);
  await use(house, { model: "a" });
  expect(house.engine.loads.map(({ options }) => options.contextTokens)).toEqual([4096, 1280]);
  expect(house.engine.present("a")).toHaveLength(1);
});

test.each(["asleep", "dozing"])("a model that is %s can be stopped", async (rest) => {
  const house = createHouse();
  await use(house, { model: "a" });
  house.engine.holdSleep = rest === "dozing";
  await house.clock.advance(1000);
  expect(house.engine.last("a").rest).toBe(rest);
  expect(await house.runtime.stop("a")).toBe(true);
  house.engine.last("a").doze();
  await settle();
  expect([house.engine.last("a").state, house.runtime.loaded()]).toEqual(["gone", []]);
  expect(house.runtime.stats().usedBytes).toBe(0);
  expect(house.clock.timers).toBe(0);
});

test("an engine that dies in its sleep is noticed, and the next request loads the model again", async () => {
  const house = createHouse();
  await use(house, { model: "a" });
  await house.clock.advance(1000);
  house.engine.last("a").die();
  await settle();
  expect(house.runtime.stats()).toMatchObject({ engineDeaths: 1, usedBytes: 0 });
  expect(house.clock.timers).toBe(0);
  await use(house, { model: "a" });
  expect(house.runtime.stats()).toMatchObject({ loads: 2 });
});

test("`plan` says that a model sleeps and what its return would take", async () => {
  const house = createHouse({ models: ["a", "b"].map((name) => modelOf(name, 1.5 * gibibyte)) });
  await use(house, { model: "a" });
  const other = await house.runtime.plan("b");
  expect(other).toMatchObject({ fits: true, evicts: [], putsToSleep: ["a:latest"] });
  await use(house, { model: "b" });
  const again = await house.runtime.plan("a");
  expect(again).toMatchObject({ fits: true, evicts: [], putsToSleep: ["b:latest"] });
  expect(again.choice.reasons).toContain("it is asleep, and wakes for a request");
});

test("a model can be put to sleep by hand when nobody uses it", async () => {
  const house = createHouse({ settings: { sleepAfter: Infinity } });
  const { runtime } = house;
  await expect(runtime.sleep("a")).rejects.toMatchObject({ code: "model_not_found" });
  const lease = await runtime.acquire({ model: "a" });
  await expect(runtime.sleep("a")).rejects.toMatchObject({ code: "conflict", message: '"a:latest" is in use.' });
  lease.release();
  await runtime.sleep("a");
  await runtime.sleep("a");
  expect([states(house), runtime.stats().sleeps]).toEqual([["a:latest asleep"], 1]);
  house.engine.sleeps = false;
  await use(house, { model: "b" });
  await expect(runtime.sleep("b")).rejects.toMatchObject({ code: "unsupported_capability", hint: /hearth stop b/ });
});
