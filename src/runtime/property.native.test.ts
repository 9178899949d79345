import { expect, test } from "vitest";
import type { Lease } from "./contract.ts";
import { createTestHouse, gibibyte, mebibyte, modelOf, settle, type TestHouse } from "../../test/runtime-house.ts";

const names = ["a", "b", "c", "d", "e"];
const sizes: Readonly<Record<string, number>> = { a: 1, b: 1, c: 1.5, d: 2, e: 3 };
const queueLimit = 6;
const budgetBytes = 3 * gibibyte;

interface Asked {
  readonly abort: AbortController;
  readonly done: Promise<Lease | undefined>;
}

interface Play {
  readonly house: TestHouse;
  readonly random: () => number;
  readonly asked: Asked[];
  readonly leases: Lease[];
  readonly maxLoaded: number;
  /** Whether most models can sleep. */
  readonly sleeps: boolean;
  /** Those of the leases that are batch work. */
  readonly batch: Set<Lease>;
  readonly refusals: Map<string, number>;
}

/** Small, fast and seeded (mulberry32), so that a failure can be played again. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(items: readonly T[], random: () => number): T | undefined {
  return items[Math.floor(random() * items.length)];
}

function ask({ house, random, asked, leases, batch, refusals }: Play): void {
  const abort = new AbortController();
  const model = pick(names, random) ?? "a";
  const contextTokens = random() < 0.2 ? pick([1024, 4096, 8192], random) : undefined;
  const keepAliveMs = random() < 0.3 ? pick([0, 50, Infinity], random) : undefined;
  const priority = random() < 0.3 ? "batch" : "interactive";
  const request = { model, priority, tenant: pick(["ann", "bob", "cid"], random) ?? "", signal: abort.signal } as const;
  const done = house.runtime
    .acquire({
      ...request,
      ...(contextTokens === undefined ? {} : { load: { contextTokens } }),
      ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
    })
    .then(
      (lease) => {
        // The first call on a model wakes it.
        void lease.loaded.tokenize([]);
        leases.push(lease);
        if (priority === "batch") batch.add(lease);
        return lease;
      },
      (error: { code: string }) => {
        refusals.set(error.code, (refusals.get(error.code) ?? 0) + 1);
        return undefined;
      },
    );
  asked.push({ abort, done });
}

/** Most models can sleep, and most of those that fall asleep get there. */
function rest({ house: { engine }, random }: Play): void {
  engine.sleeps = random() < 0.9;
  engine.holdSleep = random() < 0.3;
  for (const load of engine.present()) if (random() < 0.2) load.doze(random() < 0.9);
}

async function act(play: Play): Promise<void> {
  const { house, random, leases, asked, sleeps } = play;
  if (sleeps) rest(play);
  const roll = random();
  // Fewer requests leave more models idle.
  if (roll < (sleeps ? 0.2 : 0.35)) ask(play);
  else if (roll < 0.6) {
    const lease = pick(leases, random);
    lease?.release();
    if (random() < 0.1) lease?.release();
    if (lease) leases.splice(leases.indexOf(lease), 1);
  } else if (roll < 0.68) pick(asked, random)?.abort.abort();
  else if (roll < 0.8) pick(house.engine.present(), random)?.finish();
  else if (roll < 0.88) pick(house.engine.present(), random)?.letGo();
  else if (roll < 0.9) pick(house.engine.present(), random)?.fail(new Error("no luck"));
  else if (roll < 0.92) pick(house.engine.present(), random)?.die();
  else if (roll < 0.93) void house.runtime.stop(pick(names, random) ?? "a").catch(() => {});
  else if (roll < 0.95) house.engine.holdLoads = !house.engine.holdLoads;
  else if (roll < 0.97) house.engine.holdDispose = !house.engine.holdDispose;
  // Models that failed too often are loaded again after some time.
  else await house.clock.advance(Math.floor(random() * (random() < 0.2 ? 60_000 : 400)));
  if (random() < 0.7) await settle();
}

function check({ house, leases, batch, maxLoaded }: Play): void {
  const { engine, runtime } = house;
  const present = engine.present();
  const weightBytes = present.map(({ info, rest }) => (rest === "asleep" ? 0 : info.weightBytes));
  const bytes = weightBytes.reduce((sum, weights) => sum + weights + 150 * mebibyte, 0);
  expect(bytes, "memory in use").toBeLessThanOrEqual(budgetBytes);
  const stats = runtime.stats();
  expect(stats.usedBytes, "memory that is accounted for").toBeGreaterThanOrEqual(bytes);
  expect(stats.usedBytes).toBeLessThanOrEqual(budgetBytes);
  expect(stats.waiting).toBeLessThanOrEqual(queueLimit);
  expect(present.length).toBeLessThanOrEqual(2 * maxLoaded);
  for (const name of names) expect(engine.present(name).length, `copies of ${name}`).toBeLessThanOrEqual(1);
  for (const [loaded, own] of Map.groupBy(leases, (lease) => lease.loaded)) {
    const batchTurns = own.filter((lease) => batch.has(lease)).length;
    expect(batchTurns, "batch turns").toBeLessThanOrEqual(loaded.parallel);
    expect(own.length - batchTurns, "interactive turns").toBeLessThanOrEqual(loaded.parallel);
  }
}

async function finish({ house, leases, asked }: Play): Promise<void> {
  const { engine, runtime, clock } = house;
  engine.holdLoads = false;
  engine.holdDispose = false;
  engine.holdSleep = false;
  // Everybody who still waits gets a turn or an answer: nothing is stuck.
  for (let round = 0; round < 2000 && runtime.stats().running + runtime.stats().waiting + pending(house) > 0; round++) {
    for (const load of engine.present()) {
      load.letGo();
      load.finish();
      load.doze();
    }
    for (const lease of leases.splice(0)) lease.release();
    await settle();
  }
  await Promise.all(asked.map(({ done }) => done));
  for (const lease of leases.splice(0)) lease.release();
  await clock.advance(1000);
}

function pending({ runtime }: TestHouse): number {
  return runtime.loaded().reduce((sum, { waiting }) => sum + waiting, 0);
}

test.for([
  [1, "stay awake"],
  [2, "stay awake"],
  [3, "stay awake"],
  [4, "sleep"],
  [5, "sleep"],
  [6, "sleep"],
  [7, "sleep"],
  [8, "sleep"],
] as const)(
  "whatever users do in whatever order, no rule is broken and nothing is left behind (seed %i, idle models %s)",
  async ([seed, idle]) => {
    const sleeps = idle === "sleep";
    const maxLoaded = sleeps ? 4 : 2;
    const house = createTestHouse({
      models: names.map((name) => modelOf(name, (sizes[name] ?? 1) * gibibyte)),
      settings: { memory: budgetBytes, queue: queueLimit, parallel: 2, maxLoaded, keepAlive: 200, sleepAfter: 60 },
    });
    const random = createRandom(seed);
    const play: Play = {
      house,
      random,
      asked: [],
      leases: [],
      maxLoaded,
      sleeps,
      batch: new Set(),
      refusals: new Map(),
    };
    for (let step = 0; step < 1500; step++) {
      await act(play);
      check(play);
    }
    await finish(play);
    const granted = play.asked.length - [...play.refusals.values()].reduce((sum, count) => sum + count, 0);
    expect(granted).toBeGreaterThan(100);
    expect(play.refusals.get("queue_full")).toBeGreaterThan(0);
    expect(play.refusals.get("too_many_requests")).toBeGreaterThan(0);
    expect(house.runtime.stats()).toMatchObject({ running: 0, waiting: 0 });
    const stats = house.runtime.stats();
    expect(stats.sleeps > 20).toBe(sleeps);
    expect(stats.wakes > 5).toBe(sleeps);
    await house.runtime.dispose();
    expect(house.runtime.loaded()).toEqual([]);
    expect(house.engine.present()).toEqual([]);
    expect(house.runtime.stats().usedBytes).toBe(0);
    expect(house.clock.timers).toBe(0);
  },
);
