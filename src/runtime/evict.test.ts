import { describe, expect, test } from "vitest";
import { HearthError } from "../error.ts";
import { chooseVictims, type Occupant, type Victims } from "./evict.ts";
import { createTestHouse, gibibyte, modelOf, outcome, settle } from "../../test/runtime-house.ts";

const occupant = (key: string, bytes: number, lastUsedAt: number, busy = false): Occupant => ({
  key,
  bytes,
  lastUsedAt,
  busy,
});
const keys = (victims: readonly Occupant[]): string[] => victims.map(({ key }) => key);
const names = ({ sleep, unload }: Victims<Occupant>): string[] => {
  expect(keys(sleep)).toEqual([]);
  return keys(unload);
};

test("the least recently used idle models go, and only as many as needed", () => {
  const loaded = [occupant("new", 10, 30), occupant("old", 10, 10), occupant("middle", 10, 20)];
  const need = { limitBytes: 40, maxLoaded: 8 };
  expect(names(chooseVictims(loaded, { ...need, bytes: 10 }))).toEqual([]);
  expect(names(chooseVictims(loaded, { ...need, bytes: 11 }))).toEqual(["old"]);
  expect(names(chooseVictims(loaded, { ...need, bytes: 25 }))).toEqual(["old", "middle"]);
});

test("a small old model stays when the big one that has to go makes room enough", () => {
  const loaded = [occupant("small", 1, 10), occupant("big", 20, 20)];
  expect(names(chooseVictims(loaded, { bytes: 15, limitBytes: 21, maxLoaded: 8 }))).toEqual(["big"]);
});

test("busy models are the last to be thought of", () => {
  const loaded = [occupant("busy", 10, 10, true), occupant("idle", 10, 20)];
  expect(names(chooseVictims(loaded, { bytes: 10, limitBytes: 20, maxLoaded: 8 }))).toEqual(["idle"]);
  expect(names(chooseVictims(loaded, { bytes: 20, limitBytes: 20, maxLoaded: 8 }))).toEqual(["idle", "busy"]);
});

test("the number of models is a limit too", () => {
  const loaded = [occupant("a", 1, 10), occupant("b", 1, 20)];
  expect(names(chooseVictims(loaded, { bytes: 1, limitBytes: 100, maxLoaded: 2 }))).toEqual(["a"]);
});

describe("idle models that can sleep", () => {
  const sleeper = (key: string, bytes: number, lastUsedAt: number): Occupant => ({
    ...occupant(key, bytes, lastUsedAt),
    asleepBytes: 1,
  });
  const choose = (loaded: readonly Occupant[], need: { bytes: number; limitBytes: number; maxLoaded?: number }) => {
    const { sleep, unload } = chooseVictims(loaded, { maxLoaded: 8, ...need });
    return { sleep: keys(sleep), unload: keys(unload) };
  };

  test("sleep before any is unloaded, the least recently used first, and only as many as needed", () => {
    const loaded = [occupant("other", 10, 5), sleeper("old", 10, 10), sleeper("new", 10, 20)];
    expect(choose(loaded, { bytes: 10, limitBytes: 40 })).toEqual({ sleep: [], unload: [] });
    expect(choose(loaded, { bytes: 19, limitBytes: 40 })).toEqual({ sleep: ["old"], unload: [] });
    expect(choose(loaded, { bytes: 28, limitBytes: 40 })).toEqual({ sleep: ["old", "new"], unload: [] });
  });

  test("are unloaded where their sleep is not enough, those that may sleep all the same left", () => {
    const loaded = [sleeper("old", 10, 10), sleeper("new", 10, 20)];
    expect(choose(loaded, { bytes: 29, limitBytes: 30 })).toEqual({ sleep: ["new"], unload: ["old"] });
    expect(choose(loaded, { bytes: 30, limitBytes: 30 })).toEqual({ sleep: [], unload: ["old", "new"] });
  });

  test("are unloaded where there are too many models", () => {
    const loaded = [sleeper("old", 10, 10), sleeper("new", 10, 20)];
    expect(choose(loaded, { bytes: 1, limitBytes: 100, maxLoaded: 2 })).toEqual({ sleep: [], unload: ["old"] });
  });

  test("gain nothing by it where they are smaller than their process", () => {
    expect(choose([sleeper("small", 1, 10)], { bytes: 10, limitBytes: 10 })).toEqual({ sleep: [], unload: ["small"] });
  });
});

test("the model that was used least recently makes room for another, and its memory is free before the load begins", async () => {
  const { runtime, engine, clock } = createTestHouse();
  for (const model of ["a", "b", "a"]) {
    (await runtime.acquire({ model })).release();
    await clock.advance(10);
  }
  engine.holdDispose = true;
  const third = runtime.acquire({ model: "c" });
  await settle();
  expect(engine.last("b").state).toBe("disposing");
  expect(engine.present("c")).toHaveLength(0);
  expect(runtime.loaded().map(({ name, state }) => `${name} ${state}`)).toEqual([
    "a:latest ready",
    "b:latest unloading",
    "c:latest loading",
  ]);
  engine.last("b").letGo();
  (await third).release();
  expect(runtime.stats()).toMatchObject({ evictions: 1, usedBytes: 2 * gibibyte });
  expect(runtime.loaded().map(({ name }) => name)).toEqual(["a:latest", "c:latest"]);
});

test("a busy model is never unloaded: the request waits until something is idle", async () => {
  const { runtime, engine } = createTestHouse();
  const a = await runtime.acquire({ model: "a" });
  const b = await runtime.acquire({ model: "b" });
  const c = runtime.acquire({ model: "c" });
  expect(await outcome(c)).toBe("pending");
  expect(runtime.stats().waiting).toBe(1);
  b.release();
  (await c).release();
  expect(engine.last("b").state).toBe("gone");
  expect(engine.last("a").state).toBe("loaded");
  a.release();
});

test("a stream of requests for a busy model does not starve who waits for its memory", async () => {
  const { runtime, engine } = createTestHouse({ models: [modelOf("a", 2 * gibibyte), modelOf("b", gibibyte)] });
  const running = await runtime.acquire({ model: "a" });
  const other = runtime.acquire({ model: "b" });
  await settle();
  const later = runtime.acquire({ model: "a" });
  expect(await outcome(later)).toBe("pending");
  running.release();
  expect(await outcome(other)).toBe("fulfilled");
  expect(await outcome(later)).toBe("pending");
  (await other).release();
  (await later).release();
  expect(engine.loads.map(({ name }) => name)).toEqual(["a:latest", "b:latest", "a:latest"]);
});

test("small models do not take, again and again, the room that a big one waits for", async () => {
  const house = createTestHouse({
    models: [modelOf("a", gibibyte), modelOf("b", gibibyte / 2), modelOf("big", 2 * gibibyte)],
  });
  const a = await house.runtime.acquire({ model: "a" });
  const big = house.runtime.acquire({ model: "big" });
  await settle();
  const b = house.runtime.acquire({ model: "b" });
  expect(await outcome(b)).toBe("pending");
  a.release();
  (await big).release();
  (await b).release();
  expect(house.engine.loads.map(({ name }) => name)).toEqual(["a:latest", "big:latest", "b:latest"]);
});

test("who stops waiting for room no longer holds anybody back", async () => {
  const { runtime, engine } = createTestHouse({ models: [modelOf("a", 2 * gibibyte), modelOf("b", gibibyte)] });
  const running = await runtime.acquire({ model: "a" });
  const abort = new AbortController();
  const other = runtime.acquire({ model: "b", signal: abort.signal });
  await settle();
  const later = runtime.acquire({ model: "a" });
  expect(await outcome(later)).toBe("pending");
  abort.abort();
  await expect(other).rejects.toMatchObject({ code: "aborted" });
  expect((await later).loaded).toBe(running.loaded);
  expect(engine.loads).toHaveLength(1);
});

test("no more models are loaded than the settings allow", async () => {
  const { runtime } = createTestHouse({ settings: { memory: 100 * gibibyte, maxLoaded: 1 } });
  (await runtime.acquire({ model: "a" })).release();
  (await runtime.acquire({ model: "b" })).release();
  expect(runtime.loaded().map(({ name }) => name)).toEqual(["b:latest"]);
});

test("a model that can never fit is refused with need, have and what to change, and nothing is unloaded for it", async () => {
  const { runtime } = createTestHouse({ models: [modelOf("a", gibibyte), modelOf("big", 3 * gibibyte)] });
  (await runtime.acquire({ model: "a" })).release();
  await expect(runtime.acquire({ model: "big" })).rejects.toMatchObject({
    code: "out_of_memory",
    status: 503,
    message: /"big:latest" needs 3\.0 GiB .*the memory budget is 2\.0 GiB/,
    hint: /smaller quantization.*raise --memory/i,
    details: { needBytes: 3 * gibibyte, haveBytes: 2 * gibibyte },
  });
  expect(runtime.stats()).toMatchObject({ evictions: 0, refused: 1 });
});

test("a load that runs out of memory is tried once more without the idle models", async () => {
  const { runtime, engine } = createTestHouse();
  (await runtime.acquire({ model: "a" })).release();
  engine.holdLoads = true;
  const lease = runtime.acquire({ model: "b" });
  await settle();
  engine.last("b").fail(new HearthError("out_of_memory", "The KV cache could not be allocated."));
  await settle();
  expect(engine.last("a").state).toBe("gone");
  engine.last("b").finish();
  expect((await lease).model.name).toBe("b:latest");
  expect(runtime.stats()).toMatchObject({ loads: 2, loadFailures: 0, evictions: 1 });
});

test("a second try that runs out of memory is the last", async () => {
  const { runtime, engine } = createTestHouse({ settings: { memory: 4 * gibibyte } });
  (await runtime.acquire({ model: "a" })).release();
  engine.holdLoads = true;
  const lease = runtime.acquire({ model: "b" });
  await settle();
  engine.last("b").fail(new HearthError("out_of_memory", "The weights could not be allocated."));
  await settle();
  engine.holdLoads = false;
  (await runtime.acquire({ model: "c" })).release();
  engine.last("b").fail(new HearthError("out_of_memory", "The weights could not be allocated."));
  await expect(lease).rejects.toMatchObject({ code: "out_of_memory" });
  expect(runtime.loaded().map(({ name }) => name)).toEqual(["c:latest"]);
  expect(runtime.stats()).toMatchObject({ loadFailures: 1, evictions: 1 });
});

test("when memory runs out beside a busy model, the refusal names what could be stopped", async () => {
  const { runtime, engine } = createTestHouse();
  await runtime.acquire({ model: "a" });
  engine.holdLoads = true;
  const lease = runtime.acquire({ model: "b" });
  await settle();
  engine.last("b").fail(new HearthError("out_of_memory", "The KV cache could not be allocated."));
  await expect(lease).rejects.toMatchObject({ code: "out_of_memory", hint: /`hearth stop a:latest`/ });
  expect(runtime.stats()).toMatchObject({ loadFailures: 1, evictions: 0 });
});
