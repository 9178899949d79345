/** Many clients of one server over flint, and clients that vanish: nothing fails, waits for ever, or stays behind. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRandom } from "../src/engines/flint/sampling/random.ts";
import { sleep } from "../src/util/abort.ts";
import type { ServingHouse } from "./serving-house.ts";
import { openServing } from "./serving-house.ts";
import type { Received } from "./visitor.ts";

const [ada, bob] = ["key-of-ada", "key-of-bob"] as const;
const mebibyte = 1024 ** 2;

let house: ServingHouse;

beforeAll(async () => {
  house = await openServing({ keys: [ada, bob], parallel: 8, queue: 2000 });
  expect((await house.ask({}, { key: ada })).status).toBe(200);
});
afterAll(async () => {
  await house.dispose();
  expect(house.said).toEqual([]);
});

const random = createRandom(3);
const below = (limit: number): number => Math.floor(random.next() * limit);

/** Prompts that differ from their first tokens on. */
function tokens(count: number): number[] {
  const seed = below(1e6);
  return Array.from({ length: count }, (_, index) => 300 + ((index * 7 + seed * (index + 3)) % 150));
}

const ask = (body: object, visitor = {}): Promise<Received> => house.ask(body, { key: ada, ...visitor });
const stream = (body: object, leavesAt: (text: string) => boolean): Promise<Received> =>
  ask({ stream: true, ...body }, { leavesAt });
const texts = Array.from({ length: 40 }, () => "the people of the land ".repeat(20));
const longPrompt = (): object => ({ prompt: tokens(1900), stream: true });
const scored = (): object => ({ prompt: tokens(1500), echo: true, logprobs: 1, max_tokens: 0 });
const chunks = (text: string): number => text.split("\n\n").length - 1;

/** Where a client leaves; `ms` is for points that only time finds. */
const phases: Readonly<Record<string, (ms: number) => Promise<Received>>> = {
  "while it sends its request": (ms) => ask({}, { half: true, afterMs: ms }),
  "as soon as it has sent it": () => ask({}, { afterMs: 0 }),
  "while its long prompt is computed": (ms) => ask(longPrompt(), { afterMs: ms }),
  "at the first token": () => stream({ max_tokens: 200 }, (text) => chunks(text) > 0),
  "in the middle of a stream": () => stream({ max_tokens: 200 }, (text) => chunks(text) > 20),
  "at the very end": () => stream({}, (text) => text.includes('"finish_reason":"length"')),
  "before an answer that is not streamed": (ms) => ask({ max_tokens: 1500 }, { afterMs: ms }),
  "while several answers to one prompt are made": (ms) => ask({ n: 4, max_tokens: 300 }, { afterMs: ms }),
  "while texts are embedded": (ms) =>
    house.post("/v1/embeddings", { model: "bert", input: texts }, { key: ada, afterMs: ms }),
  "while a prompt is scored": (ms) => ask(scored(), { afterMs: ms }),
};

/** An answer that somebody waits for all the time: the same as ever. */
async function expectSteady(work: () => Promise<unknown>): Promise<void> {
  const body = { prompt: "the people of the land", max_tokens: 300 };
  const { text } = await ask(body);
  const [again] = await Promise.all([ask(body), work()]);
  expect(again).toMatchObject({ status: 200, end: "whole" });
  expect(choicesOf(again.text)).toEqual(choicesOf(text));
}

function choicesOf(text: string): unknown {
  return (JSON.parse(text) as { choices: unknown }).choices;
}

const residentBytes = (): number => house.loaded().memory.residentBytes ?? Number.NaN;

describe("clients that leave", () => {
  test.each(Object.entries(phases))("%s leave nothing behind", async (_, leave) => {
    const received = await Promise.all([1, 20, 40].map(leave));
    for (const { end } of received) expect(end).not.toBe("broken");
    // An idle engine is asked how it is every 5 s: it must have said so before.
    await house.settled(4000);
    expect(await ask({})).toMatchObject({ status: 200, end: "whole" });
  });

  test("leave nothing behind, and neither does a prompt that is scored while other requests end", async () => {
    const all = await Promise.all([ask(scored()), ask({ max_tokens: 4 }), ask({ max_tokens: 20 })]);
    for (const { status } of all) expect(status).toBe(200);
    await house.settled();
  });

  test("at any point, hundreds of them at once, do not disturb the one who stays", async () => {
    const ways = Object.values(phases);
    const all = Array.from({ length: 30 }, () => ways).flat();
    await expectSteady(() => Promise.all(all.map((leave) => leave(below(400)))));
    await house.settled();
  });

  test("a thousand in a second do not take memory with them", async () => {
    const visitors = async (count: number): Promise<void> => {
      const visits = Array.from({ length: count }, async () => {
        await sleep(below(count));
        await ask({ prompt: tokens(20 + below(400)), max_tokens: 400, stream: true }, { afterMs: below(100) });
      });
      await Promise.all(visits);
      await house.settled();
    };
    await visitors(200);
    const before = residentBytes();
    await expectSteady(() => visitors(1000));
    expect(residentBytes() - before).toBeLessThan(128 * mebibyte);
  });
});

describe("200 clients of a model that runs 8 requests at once", () => {
  test("all get their answer, and the one with few gets as much as the one with many", async () => {
    const { runtime } = house.hearth;
    const leases = await Promise.all(Array.from({ length: 8 }, () => runtime.acquire({ model: "tiny" })));
    const order: string[] = [];
    const running: number[] = [];
    const client = async (key: string): Promise<Received> => {
      const received = await house.ask({ prompt: tokens(60) }, { key });
      order.push(key);
      running.push(house.loaded().running, house.loaded().stats?.running ?? Number.NaN);
      return received;
    };
    const many = Array.from({ length: 150 }, () => client(ada));
    const few = Array.from({ length: 50 }, () => client(bob));
    await expect.poll(() => runtime.stats().waiting, { timeout: 20_000 }).toBe(200);
    const before = residentBytes();
    for (const lease of leases) lease.release();
    for (const { status, end } of await Promise.all([...many, ...few])) expect([status, end]).toEqual([200, "whole"]);
    expect(residentBytes() - before).toBeLessThan(128 * mebibyte);
    expect(Math.max(...running)).toBe(8);
    await house.settled();
    // Until 42 of his are answered, requests of both wait: no more than 8 run.
    const both = order.slice(
      0,
      order.findIndex((_, index) => count(order.slice(0, index), bob) === 42),
    );
    expect(jain([count(both, ada), count(both, bob)])).toBeGreaterThan(0.95);
  });
});

function count(order: readonly string[], key: string): number {
  return order.filter((one) => one === key).length;
}

/** Jain's index of fairness: 1 where all have the same, 1/n where one of n has everything. */
function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  return sum ** 2 / (shares.length * shares.reduce((total, share) => total + share ** 2, 0));
}
