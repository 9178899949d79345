import { expect, test } from "vitest";
import { HearthError } from "../error.ts";
import type { Progress } from "../spec/model.ts";
import { createTestHouse, outcome, settle } from "../../test/runtime-house.ts";

test("sixty-four simultaneous first requests load the model once", async () => {
  const { runtime, engine } = createTestHouse({ settings: { parallel: 64 } });
  engine.holdLoads = true;
  const leases = Array.from({ length: 64 }, () => runtime.acquire({ model: "a" }));
  await settle();
  expect(engine.loads).toHaveLength(1);
  expect(runtime.loaded()).toMatchObject([{ name: "a:latest", state: "loading", waiting: 64, running: 0 }]);
  engine.last("a").finish();
  const loaded = new Set((await Promise.all(leases)).map((lease) => lease.loaded));
  expect(loaded.size).toBe(1);
  expect(runtime.stats()).toMatchObject({ loads: 1, running: 64, waiting: 0 });
});

test("a failed load tells all who wait the same, keeps no memory, and the next request tries again", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const waiting = [runtime.acquire({ model: "a" }), runtime.acquire({ model: "a:latest" })];
  await settle();
  engine.last("a").fail(new Error("illegal instruction"));
  const [first, second] = await Promise.allSettled(waiting);
  expect(first).toMatchObject({ reason: { code: "engine_load_failed", message: /"a:latest".*illegal instruction/ } });
  expect((second as PromiseRejectedResult).reason).toBe((first as PromiseRejectedResult).reason);
  expect(runtime.loaded()).toEqual([]);
  expect(runtime.stats()).toMatchObject({ loadFailures: 1, usedBytes: 0, waiting: 0, running: 0 });
  engine.holdLoads = false;
  (await runtime.acquire({ model: "a" })).release();
  expect(runtime.stats().loads).toBe(1);
});

test("an engine's own typed error reaches the user as it is", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const lease = runtime.acquire({ model: "a" });
  await settle();
  const error = new HearthError("engine_missing", "The llama engine is not installed.");
  engine.last("a").fail(error);
  await expect(lease).rejects.toBe(error);
});

test("an engine that cannot run the model says why before it loads anything", async () => {
  const { runtime, engine } = createTestHouse();
  engine.refusal = "it has no kernels for mamba";
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({
    code: "model_unsupported",
    message: /no kernels for mamba/,
  });
  expect(engine.loads).toHaveLength(0);
});

test("a load is cancelled when everybody who waited for it has gone", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const [one, two] = [new AbortController(), new AbortController()];
  const first = runtime.acquire({ model: "a", signal: one.signal });
  const second = runtime.acquire({ model: "a", signal: two.signal });
  await settle();
  one.abort();
  await expect(first).rejects.toMatchObject({ code: "aborted" });
  expect(engine.last("a").signal?.aborted).toBe(false);
  two.abort();
  await expect(second).rejects.toMatchObject({ code: "aborted" });
  expect(engine.last("a").signal?.aborted).toBe(true);
  await settle();
  expect(runtime.loaded()).toEqual([]);
  expect(runtime.stats()).toMatchObject({ loads: 0, loadFailures: 0, usedBytes: 0 });
});

test("an engine that finishes loading in spite of the cancel is unloaded, and a new request waits for that", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  engine.holdDispose = true;
  const abort = new AbortController();
  const first = runtime.acquire({ model: "a", signal: abort.signal });
  await settle();
  const load = engine.last("a");
  load.finish();
  abort.abort();
  await expect(first).rejects.toMatchObject({ code: "aborted" });
  await settle();
  const second = runtime.acquire({ model: "a" });
  await settle();
  expect(load.state).toBe("disposing");
  expect(engine.loads).toHaveLength(1);
  load.letGo();
  await settle();
  expect(engine.loads).toHaveLength(2);
  engine.last("a").finish();
  expect((await second).loaded).toBeDefined();
});

test("requests that ask for nothing special, or for less, use what is loaded", async () => {
  const { runtime, engine } = createTestHouse();
  const leases = [
    await runtime.acquire({ model: "a", load: { contextTokens: 6000, parallel: 8 } }),
    await runtime.acquire({ model: "a" }),
    await runtime.acquire({ model: "a", load: { contextTokens: 6000 } }),
    await runtime.acquire({ model: "a", load: { contextTokens: 100, parallel: 2, device: "auto", kvTypeK: "f16" } }),
  ];
  expect(engine.loads).toHaveLength(1);
  expect(new Set(leases.map(({ loaded }) => loaded)).size).toBe(1);
});

test("a larger context waits for the running requests, then loads again; who comes later waits behind it", async () => {
  const { runtime, engine } = createTestHouse();
  const running = await runtime.acquire({ model: "a" });
  expect(running.loaded.contextTokens).toBe(4096);
  const larger = runtime.acquire({ model: "a", load: { contextTokens: 8000 } });
  const later = runtime.acquire({ model: "a" });
  expect(await outcome(larger)).toBe("pending");
  expect(await outcome(later)).toBe("pending");
  expect(engine.loads).toHaveLength(1);
  running.release();
  expect((await larger).loaded.contextTokens).toBe(8000);
  expect((await later).loaded).toBe((await larger).loaded);
  expect(engine.loads.map(({ state }) => state)).toEqual(["gone", "loaded"]);
});

test("a context beyond what the model was trained for is cut, and asking twice does not load twice", async () => {
  const { runtime, engine } = createTestHouse();
  for (let turn = 0; turn < 2; turn++) {
    const lease = await runtime.acquire({ model: "a", load: { contextTokens: 100_000 } });
    expect(lease.loaded.contextTokens).toBe(8192);
    lease.release();
  }
  expect(engine.loads).toHaveLength(1);
});

test("an engine that gives less than was asked for is not loaded again and again", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const first = runtime.acquire({ model: "a", load: { contextTokens: 8192, parallel: 6 } });
  await settle();
  engine.last("a").finish({ contextTokens: 4096, parallel: 2 });
  (await first).release();
  (await runtime.acquire({ model: "a", load: { contextTokens: 8192, parallel: 6 } })).release();
  expect(engine.loads).toHaveLength(1);
});

test("options that change the answer or the device load the model again", async () => {
  const { runtime, engine } = createTestHouse();
  const adapters = [{ path: "/adapter.gguf", scale: 0.5 }];
  for (const load of [{}, { kvTypeK: "q8_0" }, { adapters }, { adapters: [] }, { flashAttention: true }] as const) {
    (await runtime.acquire({ model: "a", load })).release();
  }
  expect(engine.loads).toHaveLength(5);
  expect(engine.loads[1]?.options).toMatchObject({ kvTypeK: "q8_0" });
  expect(engine.loads[2]?.options).toMatchObject({ adapters });
  // Without a word about adapters, none.
  (await runtime.acquire({ model: "a", load: { adapters } })).release();
  (await runtime.acquire({ model: "a" })).release();
  expect(engine.loads).toHaveLength(7);
  expect(engine.last("a").options.adapters).toBeUndefined();
});

test("a cache of another size and another draft model load the model again, the same ones do not", async () => {
  const { runtime, engine } = createTestHouse({ settings: { cacheTokens: 9000 } });
  const loads = [
    {},
    { cacheTokens: 9000 },
    { cacheTokens: 8000 },
    { draft: { path: "b" } },
    { draft: { path: "c" } },
    {},
  ];
  for (const load of loads) (await runtime.acquire({ model: "a", load })).release();
  expect(engine.loads.map(({ options: { cacheTokens, draft } }) => [cacheTokens, draft?.path])).toEqual([
    [9000, undefined],
    [8000, undefined],
    [9000, "/nowhere/b:latest/model.gguf"],
    [9000, "/nowhere/c:latest/model.gguf"],
  ]);
});

test("everybody who waits hears how far the load is", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const heard: Progress[][] = [[], []];
  const leases = heard.map((list) => runtime.acquire({ model: "a", onProgress: (progress) => list.push(progress) }));
  await settle();
  const progress: Progress = { phase: "load", label: "a", completedBytes: 5, totalBytes: 10 };
  engine.last("a").report(progress);
  expect(heard).toEqual([[progress], [progress]]);
  engine.last("a").finish();
  await Promise.all(leases);
});

test("a lease says how long it waited for the load and how long for its turn", async () => {
  const { runtime, engine, clock } = createTestHouse({ settings: { parallel: 1 } });
  engine.holdLoads = true;
  const first = runtime.acquire({ model: "a" });
  await clock.advance(0);
  const second = runtime.acquire({ model: "a" });
  await clock.advance(700);
  engine.last("a").finish();
  const lease = await first;
  expect(lease).toMatchObject({ loadMs: 700, queueMs: 0 });
  await clock.advance(300);
  lease.release();
  expect(await second).toMatchObject({ loadMs: 700, queueMs: 300 });
  const third = runtime.acquire({ model: "a" });
  await clock.advance(50);
  (await second).release();
  expect(await third).toMatchObject({ loadMs: 0, queueMs: 50 });
});

test("a model that has changed under its name is loaded anew, once the old one is idle", async () => {
  const { runtime, library, engine } = createTestHouse();
  const old = await runtime.acquire({ model: "a" });
  await library.copy("b", "a");
  const changed = runtime.acquire({ model: "a" });
  expect(await outcome(changed)).toBe("pending");
  old.release();
  expect((await changed).model.id).toBe((await library.resolve("b")).id);
  expect(engine.loads.map(({ state }) => state)).toEqual(["gone", "loaded"]);
});

test.for([
  [{ contextTokens: 0 }, "contextTokens"],
  [{ contextTokens: 1.5 }, "contextTokens"],
  [{ parallel: -1 }, "parallel"],
  [{ threads: Number.NaN }, "threads"],
  [{ batchTokens: Infinity }, "batchTokens"],
  [{ cacheTokens: 0 }, "cacheTokens"],
  [{ cacheTokens: 1000, contextTokens: 1001 }, "cacheTokens"],
] as const)("the load option %o is refused with the name of the field", async ([load, field]) => {
  const { runtime } = createTestHouse();
  await expect(runtime.acquire({ model: "a", load })).rejects.toMatchObject({
    code: "bad_request",
    details: { field },
  });
  await expect(runtime.plan("a", load)).rejects.toMatchObject({ code: "bad_request", details: { field } });
});

test("a keep-alive that is no duration is refused", async () => {
  const { runtime } = createTestHouse();
  for (const keepAliveMs of [-1, Number.NaN]) {
    await expect(runtime.acquire({ model: "a", keepAliveMs })).rejects.toMatchObject({ code: "bad_request" });
  }
});

test("an unknown model is not found, and the runtime stays quiet", async () => {
  const { runtime } = createTestHouse();
  await expect(runtime.acquire({ model: "nope" })).rejects.toMatchObject({ code: "model_not_found" });
  await runtime.drain();
});
