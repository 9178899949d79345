import { expect, test } from "vitest";
import { createTestHouse, gibibyte, modelOf, outcome, settle, type TestHouse } from "../../test/runtime-house.ts";
import type { AcquireRequest, Lease } from "./contract.ts";

/** Requests by name, in the order in which they get their turns. A name begins with its tenant, `-` is none. */
function createRecord({ runtime }: TestHouse) {
  const order: string[] = [];
  const leases = new Map<string, Lease>();
  const take = async (name: string, request: AcquireRequest): Promise<void> => {
    try {
      leases.set(name, await runtime.acquire(request));
      order.push(name);
    } catch (error) {
      order.push(`${name}: ${(error as { code: string }).code}`);
    }
  };
  const ask = async (name: string, request: Partial<AcquireRequest> = {}): Promise<void> => {
    const tenant = name.startsWith("-") ? {} : { tenant: name.slice(0, 1) };
    void take(name, { model: "a", ...tenant, ...request });
    await settle();
  };
  const release = async (name: string): Promise<void> => {
    leases.get(name)?.release();
    await settle();
  };
  return { order, ask, release };
}

const batch = { priority: "batch" } as const;

test("the tenant that has had less goes next, within a tenant who came first", async () => {
  const house = createTestHouse({ settings: { parallel: 1 } });
  const { order, ask, release } = createRecord(house);
  for (const name of ["a1", "a2", "a3", "a4", "b1", "b2"]) await ask(name);
  for (const [name, ms] of Object.entries({ a1: 10, b1: 30, a2: 10, a3: 15, b2: 1 })) {
    await house.clock.advance(ms);
    await release(name);
  }
  expect(order).toEqual(["a1", "b1", "a2", "a3", "b2", "a4"]);
});

test("requests that say nothing of a tenant are one tenant", async () => {
  const house = createTestHouse({ settings: { parallel: 1 } });
  const { order, ask, release } = createRecord(house);
  for (const name of ["-1", "-2", "-3"]) await ask(name);
  await ask("b1");
  await house.clock.advance(5);
  await release("-1");
  await house.clock.advance(6);
  await release("b1");
  expect(order).toEqual(["-1", "b1", "-2"]);
});

test("batch requests wait for every interactive one that waits for that model", async () => {
  const house = createTestHouse({ settings: { parallel: 1 } });
  const { order, ask, release } = createRecord(house);
  await ask("a1");
  await ask("b1", batch);
  await ask("a2");
  await ask("c1");
  for (const name of ["a1", "a2", "c1"]) await release(name);
  expect(order).toEqual(["a1", "a2", "c1", "b1"]);
});

test("a batch request takes a free turn, and an interactive one comes on top of it", async () => {
  const house = createTestHouse({ settings: { parallel: 2 } });
  const { order, ask, release } = createRecord(house);
  for (const name of ["b1", "b2", "b3"]) await ask(name, batch);
  expect(order).toEqual(["b1", "b2"]);
  for (const name of ["a1", "a2", "a3"]) await ask(name);
  expect(order).toEqual(["b1", "b2", "a1", "a2"]);
  expect(house.runtime.stats().running).toBe(4);
  for (const name of ["b1", "b2", "a1"]) await release(name);
  expect(order).toEqual(["b1", "b2", "a1", "a2", "a3"]);
  await release("a2");
  expect(order.at(-1)).toBe("b3");
});

test("batch requests share among themselves, whatever the tenants have had as interactive ones", async () => {
  const house = createTestHouse({ settings: { parallel: 1 } });
  const { order, ask, release } = createRecord(house);
  await ask("a0");
  await house.clock.advance(1000);
  await ask("b1", batch);
  for (const name of ["a1", "b2", "b3"]) await ask(name, batch);
  await release("a0");
  await house.clock.advance(10);
  await release("b1");
  await house.clock.advance(20);
  await release("a1");
  expect(order).toEqual(["a0", "b1", "a1", "b2"]);
});

test("a word that is no class is refused", async () => {
  const { runtime } = createTestHouse();
  const request = { model: "a", priority: "urgent" } as unknown as AcquireRequest;
  await expect(runtime.acquire(request)).rejects.toMatchObject({ code: "bad_request", details: { field: "priority" } });
});

test("who fills the queue loses a place to who has fewer in it, and learns when to come back", async () => {
  const house = createTestHouse({ settings: { parallel: 1, queue: 3 } });
  const { order, ask } = createRecord(house);
  for (const name of ["a1", "a2", "a3", "a4", "b1", "b2"]) await ask(name);
  expect(order).toEqual(["a1", "a4: too_many_requests", "b2: queue_full"]);
  await ask("c1");
  expect(order.at(-1)).toBe("a3: too_many_requests");
});

test("the refusal of who has most waiting is a 429 that says how many", async () => {
  const { runtime } = createTestHouse({ settings: { parallel: 1, queue: 3 } });
  await runtime.acquire({ model: "a" });
  const waiting = ["a", "a", "b"].map((tenant) => runtime.acquire({ model: "a", tenant }));
  await settle();
  await expect(runtime.acquire({ model: "a", tenant: "a" })).rejects.toMatchObject({
    code: "too_many_requests",
    status: 429,
    retryAfterSeconds: 1,
    message: /with 3 waiting requests this caller has more in it than any other/,
    details: { waiting: 3, limit: 3, model: "a:latest" },
  });
  expect(await Promise.all(waiting.map(outcome))).toEqual(["pending", "pending", "pending"]);
});

test("for the time to try again, interactive requests do not count batch ones", async () => {
  const { runtime, clock } = createTestHouse({ settings: { parallel: 1, queue: 2 } });
  const first = await runtime.acquire({ model: "a" });
  await clock.advance(10_000);
  first.release();
  await runtime.acquire({ model: "a" });
  void runtime.acquire({ model: "a", tenant: "b", ...batch });
  void runtime.acquire({ model: "a", tenant: "c" });
  await settle();
  // One waits before it, each takes ten seconds.
  await expect(runtime.acquire({ model: "a", tenant: "c" })).rejects.toMatchObject({ retryAfterSeconds: 20 });
});

test("batch work for one model does not keep interactive work waiting for another's memory", async () => {
  const house = createTestHouse({ models: [modelOf("a", 2 * gibibyte), modelOf("b", gibibyte)] });
  const { order, ask, release } = createRecord(house);
  await ask("a1", { ...batch, load: { parallel: 1 } });
  await ask("a2", { ...batch, load: { parallel: 1 } });
  await ask("b1", { model: "b" });
  await release("a1");
  expect(order).toEqual(["a1", "b1"]);
  await release("b1");
  expect(order).toEqual(["a1", "b1", "a2"]);
});

test("a tenant that always comes back does not starve who waits for the memory of its model", async () => {
  const house = createTestHouse({
    models: [modelOf("a", 2 * gibibyte), modelOf("b", gibibyte)],
    settings: { parallel: 1 },
  });
  const { order, ask, release } = createRecord(house);
  for (const name of ["a1", "a2", "a3"]) await ask(name);
  await ask("b1", { model: "b" });
  // Has had nothing yet, but came after b1, whose model needs the room.
  await ask("c1");
  for (const name of ["a1", "a2", "a3"]) {
    await house.clock.advance(10);
    await release(name);
  }
  expect(order).toEqual(["a1", "a2", "a3", "b1"]);
});

test("a model that has just been loaded serves who waits for it before it makes room for another", async () => {
  const house = createTestHouse({ models: [modelOf("a", 2 * gibibyte), modelOf("b", gibibyte)] });
  const { order, ask, release } = createRecord(house);
  house.engine.holdLoads = true;
  await ask("a1");
  await ask("b1", { model: "b" });
  house.engine.holdLoads = false;
  house.engine.last("a").finish();
  await settle();
  expect(order).toEqual(["a1"]);
  await release("a1");
  expect(order).toEqual(["a1", "b1"]);
});

test("of requests that wait for the same load each tenant gets some of the first turns", async () => {
  const house = createTestHouse({ settings: { parallel: 4 } });
  const { order, ask } = createRecord(house);
  house.engine.holdLoads = true;
  for (const name of ["a1", "a2", "a3", "a4", "b1", "c1"]) await ask(name);
  house.engine.last("a").finish();
  await settle();
  expect(order).toEqual(["a1", "b1", "c1", "a2"]);
});
