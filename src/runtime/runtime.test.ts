import { expect, test } from "vitest";
import { createTestHouse, gibibyte, mebibyte, modelOf, outcome, settle } from "../../test/runtime-house.ts";

test("without a budget in the settings, free memory less a reserve is the budget", async () => {
  const { runtime, memory } = createTestHouse({ settings: { memory: undefined } });
  memory.availableBytes = 3 * gibibyte;
  expect(runtime.stats().budgetBytes).toBe(3 * gibibyte - 0.05 * 16 * gibibyte);
  memory.totalBytes = 4 * gibibyte;
  expect(runtime.stats().budgetBytes).toBe(3 * gibibyte - 512 * mebibyte);
});

test("what other programs take while a model is loaded makes the budget smaller", async () => {
  const { runtime, memory } = createTestHouse({ settings: { memory: undefined } });
  memory.availableBytes = 3 * gibibyte;
  const before = runtime.stats().budgetBytes;
  // Mapped weights count as free: the load has changed nothing.
  (await runtime.acquire({ model: "a" })).release();
  expect(runtime.stats().budgetBytes).toBe(before);
  memory.availableBytes = gibibyte;
  expect(runtime.stats().budgetBytes).toBeCloseTo(1.2 * gibibyte, -1);
  (await runtime.acquire({ model: "b" })).release();
  expect(runtime.loaded().map(({ name }) => name)).toEqual(["b:latest"]);
});

test("memory that other programs give back counts as soon as nothing is loaded", async () => {
  const { runtime, memory } = createTestHouse({
    models: [modelOf("a", gibibyte), modelOf("big", 6 * gibibyte)],
    settings: { memory: undefined },
  });
  memory.availableBytes = 3 * gibibyte;
  (await runtime.acquire({ model: "a" })).release();
  await expect(runtime.acquire({ model: "big" })).rejects.toMatchObject({ code: "out_of_memory" });
  memory.availableBytes = 10 * gibibyte;
  (await runtime.acquire({ model: "big" })).release();
  expect(runtime.loaded().map(({ name }) => name)).toEqual(["big:latest"]);
});

test("stopping unloads at once, whatever runs, and those who wait are told", async () => {
  const { runtime, engine, clock } = createTestHouse({ settings: { parallel: 1 } });
  const running = await runtime.acquire({ model: "a" });
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  const [stopped] = await Promise.all([
    runtime.stop("a"),
    expect(waiting).rejects.toMatchObject({ message: /was stopped/ }),
  ]);
  expect(stopped).toBe(true);
  expect(engine.last("a").state).toBe("gone");
  expect(runtime.loaded()).toEqual([]);
  running.release();
  expect(runtime.stats()).toMatchObject({ running: 0, waiting: 0, engineDeaths: 0, evictions: 0 });
  expect(clock.timers).toBe(0);
  (await runtime.acquire({ model: "a" })).release();
});

test("stopping cancels a load", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  const [stopped] = await Promise.all([
    runtime.stop("a:latest"),
    expect(waiting).rejects.toMatchObject({ code: "engine_failed" }),
  ]);
  expect(stopped).toBe(true);
  expect(engine.present()).toEqual([]);
});

test("stopping what is not loaded says so; what nobody knows is not found", async () => {
  const { runtime } = createTestHouse();
  expect(await runtime.stop("a")).toBe(false);
  await expect(runtime.stop("nope")).rejects.toMatchObject({ code: "model_not_found" });
});

test("draining refuses new requests and waits for those that were accepted", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1 } });
  const running = await runtime.acquire({ model: "a" });
  const accepted = runtime.acquire({ model: "a" });
  await settle();
  const drained = runtime.drain();
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({ code: "shutting_down", status: 503 });
  expect(runtime.stats().refused).toBe(1);
  expect(await outcome(drained)).toBe("pending");
  running.release();
  const last = await accepted;
  expect(await outcome(drained)).toBe("pending");
  last.release();
  await drained;
});

test("draining waits for requests whose model is still being looked up", async () => {
  const { runtime } = createTestHouse();
  const arriving = runtime.acquire({ model: "a" });
  const drained = runtime.drain();
  const lease = await arriving;
  expect(await outcome(drained)).toBe("pending");
  lease.release();
  await drained;
});

test("draining ends with its signal", async () => {
  const { runtime } = createTestHouse();
  await runtime.acquire({ model: "a" });
  const reason = new Error("time is up");
  await expect(runtime.drain(AbortSignal.abort(reason))).rejects.toBe(reason);
});

test("disposing unloads everything, turns everybody away and may be done twice", async () => {
  const { runtime, engine, clock } = createTestHouse({ settings: { parallel: 1 } });
  (await runtime.acquire({ model: "b" })).release();
  const running = await runtime.acquire({ model: "a" });
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  const lookedUp = runtime.acquire({ model: "c" });
  const refused = [waiting, lookedUp].map((each) => expect(each).rejects.toMatchObject({ code: "shutting_down" }));
  await Promise.all([runtime.dispose(), runtime.dispose(), ...refused]);
  running.release();
  expect(engine.present()).toEqual([]);
  expect(clock.timers).toBe(0);
  await expect(runtime.acquire({ model: "a" })).rejects.toMatchObject({ code: "shutting_down" });
  expect(runtime.stats()).toMatchObject({ running: 0, waiting: 0, usedBytes: 0 });
});

test("disposing during a load leaves nothing", async () => {
  const { runtime, engine } = createTestHouse();
  engine.holdLoads = true;
  const waiting = runtime.acquire({ model: "a" });
  await settle();
  await Promise.all([runtime.dispose(), expect(waiting).rejects.toMatchObject({ code: "shutting_down" })]);
  expect(engine.present()).toEqual([]);
});

test("a plan says what would happen and does nothing", async () => {
  const { runtime, engine, memory } = createTestHouse();
  for (const model of ["a", "b"]) (await runtime.acquire({ model })).release();
  const plan = await runtime.plan("c");
  expect(plan).toMatchObject({
    model: { name: "c:latest" },
    choice: { engine: "fake", device: "auto", reasons: ["it is the only one"] },
    load: { contextTokens: 4096, parallel: 8 },
    estimate: { totalBytes: gibibyte },
    availableBytes: memory.availableBytes,
    budgetBytes: 2 * gibibyte,
    fits: true,
    evicts: ["a:latest"],
  });
  expect(engine.loads).toHaveLength(2);
  expect(runtime.stats()).toMatchObject({ evictions: 0, refused: 0 });
});

test("a plan names the busy models it would wait for, and does not claim to unload them", async () => {
  const { runtime } = createTestHouse();
  await runtime.acquire({ model: "a" });
  await runtime.acquire({ model: "b" });
  const plan = await runtime.plan("c");
  expect(plan).toMatchObject({ fits: true, evicts: [] });
  expect(plan.choice.reasons).toContainEqual("it would wait until a:latest is idle");
});

test("a plan for a model that does not fit says why instead of failing", async () => {
  const { runtime } = createTestHouse({ models: [modelOf("a", 3 * gibibyte)] });
  const plan = await runtime.plan("a");
  expect(plan).toMatchObject({ fits: false, evicts: [] });
  expect(plan.choice.reasons.at(-1)).toMatch(/needs 3\.0 GiB.*budget is 2\.0 GiB.*quantization/);
});

test("a plan for a loaded model shows how it is loaded, or that it would be loaded again", async () => {
  const { runtime } = createTestHouse();
  (await runtime.acquire({ model: "a", load: { contextTokens: 2000 } })).release();
  const same = await runtime.plan("a");
  expect(same).toMatchObject({ load: { contextTokens: 2000 }, fits: true });
  expect(same.choice.reasons).toContain("it is loaded already");
  const larger = await runtime.plan("a", { contextTokens: 8000 });
  expect(larger).toMatchObject({ load: { contextTokens: 8000 }, evicts: [] });
  expect(larger.choice.reasons).toContain("it is loaded with other options and would be loaded again");
});

test("a plan and the status of a model that its engine has handed on name the engine that runs it", async () => {
  const { runtime } = createTestHouse({ chosen: "flint" });
  expect((await runtime.plan("a")).choice.engine).toBe("flint");
  (await runtime.acquire({ model: "a" })).release();
  const { choice } = await runtime.plan("a");
  expect(choice.engine).toBe("fake");
  expect(choice.reasons).toContain("flint could not load it, so fake did");
  expect(runtime.loaded()[0]?.engine).toBe("fake");
});

test("a plan says what was made smaller because memory is short", async () => {
  const info = { kvBytesPerToken: 64 * 1024 };
  const { runtime } = createTestHouse({ models: [modelOf("a", gibibyte, info)] });
  const plan = await runtime.plan("a");
  expect(plan.load).toMatchObject({ contextTokens: 2048, parallel: 8 });
  expect(plan.choice.reasons).toContain("context is 2048 tokens, not 4096: memory is short");
  const lease = await runtime.acquire({ model: "a" });
  expect(lease.loaded.contextTokens).toBe(2048);
});

test("the status of a loaded model has what a user wants to see", async () => {
  const { runtime } = createTestHouse();
  const lease = await runtime.acquire({ model: "a" });
  expect(runtime.loaded()).toMatchObject([
    {
      name: "a:latest",
      engine: "fake",
      device: "cpu",
      state: "ready",
      contextTokens: 4096,
      parallel: 8,
      running: 1,
      waiting: 0,
      memory: { ramBytes: lease.info.weightBytes, vramBytes: 0 },
    },
  ]);
});
