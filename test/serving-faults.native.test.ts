/** What goes wrong around a server over flint: requests beyond the cache, a strange cache folder, an engine that dies. */
import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { versionName } from "../src/engines/flint/cache/disk/names.ts";
import { HearthError } from "../src/error.ts";
import type { HostedModel } from "../src/engines/host/load.ts";
import type { ServingHouse, ServingOptions } from "./serving-house.ts";
import { openServing, servingFolder } from "./serving-house.ts";
import type { Received } from "./visitor.ts";
import { framesOf } from "./visitor.ts";

const mebibyte = 1024 ** 2;

let folder: string;
let blocks: string;

beforeEach(async () => {
  folder = await servingFolder();
  blocks = join(folder, "cache", "kv");
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

/** A house on the folder, for as long as the work takes. */
async function inHouse<T>(work: (house: ServingHouse) => Promise<T>, more?: ServingOptions): Promise<T> {
  const house = await openServing({ folder, parallel: 24, diskCache: 64 * mebibyte, ...more });
  try {
    return await work(house);
  } finally {
    await house.dispose();
  }
}

/** 600 tokens that all prompts begin with. */
const beginning = Array.from({ length: 600 }, (_, index) => 300 + ((index * 11) % 150));

interface Answer {
  readonly choices: readonly { readonly text: string; readonly finish_reason: string }[];
  readonly usage: {
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens: number };
  };
}

async function answerOf(received: Promise<Received>): Promise<Answer> {
  const { status, text } = await received;
  expect([status, text]).toEqual([200, text]);
  return JSON.parse(text) as Answer;
}

const cachedOf = ({ usage }: Answer): number => usage.prompt_tokens_details?.cached_tokens ?? 0;

/** All files in a folder, by their paths in it. */
async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));
}

/** Waits until all full blocks of a prompt of 600 tokens are on disk. */
async function kept(): Promise<string[]> {
  const own = (): Promise<string[]> => filesIn(join(blocks, versionName));
  await expect.poll(async () => (await own()).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(18);
  return await own();
}

describe("a cache with room for 200 tokens", () => {
  test("refuses a longer prompt with both figures, and ends an answer where it is full", async () => {
    const work = async ({ hearth, ask, settled }: ServingHouse): Promise<void> => {
      const refused = await ask({ prompt: beginning });
      expect(refused.status).toBe(400);
      expect(refused.text).toMatch(/has 600 tokens.*holds 200/);
      expect(refused.text).toContain("context_length_exceeded");
      const error = await failureOf(hearth.complete({ model: "tiny", prompt: beginning }));
      expect(error).toMatchObject({ details: { promptTokens: 600, contextTokens: 200 } });
      const body = { prompt: beginning.slice(0, 150), max_tokens: 400 };
      const alone = await answerOf(ask(body));
      expect(alone).toMatchObject({ choices: [{ finish_reason: "length" }], usage: { completion_tokens: 50 } });
      const together = await Promise.all(Array.from({ length: 24 }, () => answerOf(ask(body))));
      for (const { choices } of together) expect(choices).toEqual(alone.choices);
      await settled();
    };
    await inHouse(work, { cacheTokens: 200, context: undefined });
  });
});

describe("a folder of the cache on disk", () => {
  test("with files of other versions and of others is used, and only what is ours and older goes", async () => {
    const name = createHash("sha256").update("some block").digest("hex");
    const block = join(name.slice(0, 2), `${name}.kv`);
    const older = join(blocks, "v0.9", block);
    const others = ["v99.1", versionName, "notes"].map((one) => join(blocks, one, "of-others", "readme.txt"));
    const strange = [
      join(blocks, "v99.1", block),
      join(blocks, versionName, block),
      join(blocks, "v1", block),
      ...others,
    ];
    for (const path of [older, ...strange]) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, "not what you think");
    }
    await inHouse(async (house) => {
      const prompt = beginning;
      expect(cachedOf(await answerOf(house.ask({ prompt })))).toBe(0);
      await kept();
      await house.settled();
      expect(house.loaded().stats?.diskBytes).toBeGreaterThan(0);
      expect(house.said).toEqual([]);
    });
    expect(await filesIn(blocks)).toEqual(expect.arrayContaining(strange));
    expect(await filesIn(blocks)).not.toContain(older);
  });

  test("whose files are damaged is as good as empty", async () => {
    const ask = (house: ServingHouse): Promise<Answer> => answerOf(house.ask({ prompt: beginning }));
    const first = await inHouse(async (house) => {
      const answer = await ask(house);
      await kept();
      return answer;
    });
    expect(cachedOf(await inHouse(ask))).toBeGreaterThanOrEqual(576);
    for (const [index, path] of (await kept()).entries()) {
      const { size } = await stat(path);
      if (index % 2 > 0) await truncate(path, size - 1);
      else await writeFile(path, Buffer.alloc(size, 1));
    }
    await inHouse(async (house) => {
      const again = await ask(house);
      expect(again.choices).toEqual(first.choices);
      expect(cachedOf(again)).toBe(0);
      expect(house.said).toEqual([]);
    });
  });

  test("that cannot be made is said once, and everything works without it", async () => {
    await mkdir(dirname(blocks), { recursive: true });
    await writeFile(blocks, "a file stands here");
    await inHouse(async (house) => {
      const all = Array.from({ length: 40 }, (_, index) => house.ask({ prompt: beginning.slice(index) }));
      for (const { status } of await Promise.all(all)) expect(status).toBe(200);
      await house.settled();
      await napOf(house);
      await house.hearth.runtime.stop("tiny");
      expect((await house.ask()).status).toBe(200);
      expect(house.said).toEqual([expect.stringMatching(/^There is no cache of prompts on disk: /)]);
      expect(house.loaded().stats).toMatchObject({ restoredTokens: 0, diskBytes: 0 });
    });
  });
});

/** Its memory is given back, and taken again for a request. */
async function napOf({ hearth, ask }: ServingHouse): Promise<void> {
  const lease = await hearth.runtime.acquire({ model: "tiny" });
  await lease.loaded.sleep?.();
  lease.release();
  expect((await ask()).status).toBe(200);
}

const messages = [{ role: "user", content: "the people of the land" }];
const endless = { model: "tiny", max_tokens: 7000, ignore_eos: true };
const ollama = { model: "tiny", options: { num_predict: 7000 } };
const message: unknown = expect.stringContaining("was killed by SIGKILL");
const openaiError: unknown = {
  error: expect.objectContaining({ message, code: "engine_failed", type: "server_error" }),
};

/** One stream of each kind, and its last frame when the engine dies. They go on for longer than the test. */
const streams = [
  { path: "/v1/completions", body: { ...endless, prompt: beginning, stream: true }, last: openaiError },
  { path: "/v1/chat/completions", body: { ...endless, messages, stream: true }, last: openaiError },
  { path: "/api/generate", body: { ...ollama, prompt: "the people" }, last: { error: message } },
  { path: "/api/chat", body: { ...ollama, messages }, last: { error: message } },
];

describe("an engine that is killed in the middle of 20 streams", () => {
  test("ends each with an error as its clients read it, and what it kept on disk is found by the next", async () => {
    const work = async (house: ServingHouse): Promise<void> => {
      const first = await answerOf(house.ask({ prompt: beginning }));
      await kept();
      const begun: object[] = [];
      const watch = async ({ path, body, last }: (typeof streams)[number]): Promise<void> => {
        const mark = {};
        const onText = (text: string): void => {
          if (!begun.includes(mark) && text.split("\n", 9).length > 8) begun.push(mark);
        };
        const { status, text, end } = await house.post(path, body, { onText });
        expect([status, end, framesOf(text).at(-1)]).toEqual([200, "whole", last]);
      };
      const watched = Array.from({ length: 5 }, () => streams.map(watch)).flat();
      const [whole, inside] = [house.ask(endless), failureOf(house.hearth.complete({ model: "tiny", prompt: "the" }))];
      await expect.poll(() => begun.length, { timeout: 20_000, interval: 5 }).toBe(20);
      await kill(house);
      await Promise.all(watched);
      expect((await whole).status).toBe(500);
      const { code, cause } = await inside;
      // A cause would be what the engine has written last.
      expect([code, cause]).toEqual(["engine_failed", undefined]);
      const again = await answerOf(house.ask({ prompt: beginning }));
      expect(again.choices).toEqual(first.choices);
      expect(cachedOf(again)).toBeGreaterThanOrEqual(576);
      await house.settled();
      expect(house.hearth.runtime.stats()).toMatchObject({ engineDeaths: 1, loads: 2 });
      expect(house.said).toEqual([]);
    };
    await inHouse(work, { context: 8192 });
  });
});

async function failureOf(events: AsyncIterable<unknown>): Promise<HearthError> {
  try {
    for await (const _ of events);
  } catch (error) {
    if (error instanceof HearthError) return error;
  }
  throw new Error("it did not fail, or not with an error of ours");
}

async function kill({ hearth }: ServingHouse): Promise<void> {
  const lease = await hearth.runtime.acquire({ model: "tiny" });
  const { pid } = lease.loaded as HostedModel;
  lease.release();
  if (pid !== undefined) process.kill(pid, "SIGKILL");
}
