/** Many clients of one server over flint, and clients that vanish: nothing may fail, wait for ever, or stay behind. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRandom } from "../src/engines/flint/sampling/random.ts";
import type { ServingHouse } from "./serving-house.ts";
import { openServing } from "./serving-house.ts";
import type { Received, Visit } from "./visitor.ts";
import { framesOf, visit } from "./visitor.ts";

const [ada, bob] = ["key-of-ada", "key-of-bob"] as const;

let house: ServingHouse;

beforeAll(async () => {
  house = await openServing({ keys: [ada, bob], parallel: 8, queue: 2000 });
  await ask({ max_tokens: 1 });
});
afterAll(async () => await house.dispose());

const random = createRandom(3);
const below = (limit: number): number => Math.floor(random.next() * limit);

/** Token numbers; prompts of one seed begin alike. */
function tokens(count: number, seed = below(1e6)): number[] {
  return Array.from({ length: count }, (_, index) => 300 + ((index * 7 + seed * (index + 3)) % 150));
}

type Rest = Omit<Visit, "port" | "path" | "body">;

function ask(body: object, rest: Rest = {}): Promise<Received> {
  const fixed = { model: "tiny", prompt: tokens(40), temperature: 0, ignore_eos: true, max_tokens: 16 };
  return visit({ port: house.port, path: "/v1/completions", body: { ...fixed, ...body }, key: ada, ...rest });
}

const stream = (body: object, rest: Rest = {}): Promise<Received> => ask({ stream: true, ...body }, rest);
const embed = (rest: Rest = {}): Promise<Received> => {
  const input = Array.from({ length: 40 }, () => "the people of the land ".repeat(20));
  return visit({ port: house.port, path: "/v1/embeddings", body: { model: "bert", input }, key: ada, ...rest });
};
const score = (rest: Rest = {}): Promise<Received> =>
  ask({ prompt: tokens(1500), echo: true, logprobs: 1, max_tokens: 0 }, rest);

const chunksOf = (text: string): number => text.split("\n\n").length - 1;

/** Where a client leaves, and how: `ms` is a time in which that point is passed. */
const phases: Readonly<Record<string, (ms: number) => Promise<Received>>> = {
  "while it sends its body": (ms) => ask({}, { half: true, afterMs: ms }),
  "as soon as it has sent it": () => ask({}, { afterMs: 0 }),
  "while its long prompt is read": (ms) => stream({ prompt: tokens(1900) }, { afterMs: ms }),
  "at the first token": () => stream({ max_tokens: 200 }, { leaves: (text) => chunksOf(text) >= 1 }),
  "in the middle of a stream": () => stream({ max_tokens: 200 }, { leaves: (text) => chunksOf(text) >= 20 }),
  "at the very end": () => stream({}, { leaves: (text) => text.includes('"finish_reason":"length"') }),
  "before an answer that is not streamed": (ms) => ask({ max_tokens: 1500 }, { afterMs: ms }),
  "while several answers to one prompt are made": (ms) => ask({ n: 4, max_tokens: 300 }, { afterMs: ms }),
  "while texts are embedded": (ms) => embed({ afterMs: ms }),
  "while a prompt is scored": (ms) => score({ afterMs: ms }),
};

describe("a client that leaves", () => {
  test.each(Object.entries(phases))("%s leaves nothing behind", async (_, leave) => {
    const received = await Promise.all([leave(30), leave(60), leave(90)]);
    console.log(received.map(({ status, text, end }) => `${end} ${status} ${text.slice(0, 300)}`), house.errors);
    for (const { end } of received) expect(end).toBe("left");
    await house.settled();
    expect(await ask({})).toMatchObject({ status: 200, end: "whole" });
    expect(house.errors).toEqual([]);
  });
});

test("x", async () => {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const { sleep } = await import("../src/util/abort.ts");
  const { collect } = await import("./engine-contract.ts");
  let cpu = process.cpuUsage();
  const show = (name: string, before: number, all: {end: string; status: number}[]) => {
    const used = process.cpuUsage(cpu); console.log("cpu", used.user / 1e3, used.system / 1e3); gc(); cpu = process.cpuUsage();
    const { steps, generatedTokens, promptTokens, preemptions, blocks } = house.loaded().stats!;
    console.log(name, performance.now() - before, Map.groupBy(all, ({end, status}) => `${end} ${status}`).entries().map(([k, v]) => `${k}: ${v.length}`).toArray().join(", "), house.loaded().memory.residentBytes! / 2**20, JSON.stringify({ steps, generatedTokens, promptTokens, preemptions, blocks }), process.memoryUsage().heapUsed / 2**20);
  };
  for (let i = 0; i < 3; i++) {
    const before = performance.now();
    const all = await Promise.all(Array.from({ length: 1000 }, async () => {
      await sleep(below(1000));
      return await stream({ prompt: tokens(20 + below(400)), max_tokens: 400 }, { afterMs: below(100) });
    }));
    await house.settled();
    show("cancels", before, all);
  }
  const lease = await house.hearth.runtime.acquire({ model: "tiny" });
  for (let i = 0; i < 0; i++) {
    const before = performance.now();
    const all = await Promise.all(Array.from({ length: 1000 }, async (_, index) => {
      const c = new AbortController();
      const t = setTimeout(() => c.abort(), below(1000));
      const r = await collect(lease.loaded, { prompt: tokens(20 + below(400)), maxTokens: 400, ignoreEos: true, sampling: { temperature: 0 } }, c.signal).then(() => "whole", () => "left");
      clearTimeout(t);
      return { end: r, status: 0 };
    }));
    await new Promise((r) => setTimeout(r, 100));
    show("engine", before, all);
  }
  lease.release();
  await house.settled();
    const before = performance.now();
  const order: string[] = [];
  const one = async (key: string) => { const r = await ask({ prompt: tokens(60) }, { key }); order.push(key.at(-1)!); return r; };
  const leases = await Promise.all(Array.from({ length: 8 }, () => house.hearth.runtime.acquire({ model: "tiny" })));
  const answers = ([...Array.from({ length: 150 }, () => one(ada)), ...Array.from({ length: 50 }, () => one(bob))]);
  await expect.poll(() => house.hearth.runtime.stats().waiting, { timeout: 20_000 }).toBe(200);
  for (const lease of leases) lease.release();
  const all = await Promise.all(answers);
  console.log(order.join(""));
  show("fair", before, all);
});
