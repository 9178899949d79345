/**
 * Ten thousand requests that arrive, are cancelled, lose their place to others, share prefixes, guess ahead and outlive
 * restarts of the engine, each compared with the same request alone. Every tenant has a secret word in its prompts.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect } from "../../../test/engine-contract.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { inspectGguf } from "../../models/inspect.ts";
import type { GenerateRequest, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { findFixture, withFixtureFile } from "./__fixtures__/fixtures.ts";
import { createLocalFlint } from "./local.ts";
import { createRandom } from "./sampling/random.ts";

const restarts = 5;
const tenants = ["ada", "bob", "eve"] as const;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-storm-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(path: string, options: LoadOptions): Promise<LoadedModel> {
  const model = { name: "tiny", path, info: await inspectGguf(path) };
  return await createLocalFlint().load(model, { contextTokens: 256, threads: 1, batchTokens: 64, ...options });
}

const random = createRandom(11);
const below = (limit: number): number => Math.floor(random.next() * limit);

interface Kind {
  readonly request: GenerateRequest;
  readonly secret: number;
  answer: readonly number[];
}

/** Words of the prompts are tokens from 3 on; the secrets come behind them. */
const words = 200;

/** Prompts of a few beginnings, so that they share blocks; a secret token of the tenant stands in the middle. */
function createKind(index: number): Kind {
  const tenant = index % tenants.length;
  const secret = 3 + words + tenant;
  const word = (): number => 3 + below(words);
  const start = below(4);
  const beginning = Array.from({ length: 20 + 30 * start }, (_, at) => 3 + ((at * (start + 2)) % words));
  const prompt = [...beginning, secret, ...Array.from({ length: below(40) }, word)];
  return {
    secret,
    answer: [],
    request: {
      prompt,
      tenant: tenants[tenant] ?? "",
      priority: below(4) > 0 ? "interactive" : "batch",
      maxTokens: 1 + below(24),
      ignoreEos: true,
      sampling: below(2) > 0 ? { temperature: 0 } : { temperature: 1.2, seed: index, topK: 40 },
    },
  };
}

async function ask(model: LoadedModel, kind: Kind): Promise<void> {
  const { tokens } = await collect(model, kind.request);
  expect(tokens).toEqual(kind.answer);
}

/** Leaves after a few tokens, or before the first. */
async function leave(model: LoadedModel, { request }: Kind): Promise<void> {
  const controller = new AbortController();
  let left = below(6);
  if (left === 0) setTimeout(() => controller.abort(), below(20));
  try {
    for await (const { type } of model.generate?.(request, { signal: controller.signal }) ?? []) {
      if (type === "token-delta" && --left === 0) break;
    }
  } catch (error) {
    expect(error).toMatchObject({ code: "aborted" });
  }
}

interface Storm {
  readonly path: string;
  readonly kinds: number;
  readonly requests: number;
}

/** Returns how often each thing happened that must not change an answer. */
async function storm({ path, kinds, requests }: Storm): Promise<readonly number[]> {
  const all = Array.from({ length: kinds }, (_, index) => createKind(index));
  const alone = await load(path, { parallel: 1, speculation: "off" });
  for (const kind of all) kind.answer = (await collect(alone, { ...kind.request, tenant: `${below(1e9)}` })).tokens;
  await alone.dispose();

  const diskCache = { folder: `${path}.cache`, mostBytes: 64 * 1024 ** 2 };
  const seen = { preemptions: 0, cachedTokens: 0, restoredTokens: 0, acceptedTokens: 0 };
  for (let round = 0; round < restarts; round++) {
    // Room for about three of them: the others wait, or lose their place.
    const model = await load(path, { parallel: 8, cacheTokens: 512, diskCache });
    const running = new Set<Promise<void>>();
    for (let count = 0; count < requests / restarts; count++) {
      const kind = all[below(kinds)];
      if (!kind) continue;
      const work = (below(6) === 0 ? leave(model, kind) : ask(model, kind)).finally(() => running.delete(work));
      running.add(work);
      if (running.size >= 24) await Promise.race(running);
    }
    await Promise.all(running);
    const stats = model.stats?.();
    expect(stats).toMatchObject({ running: 0, waiting: 0, blocks: { used: 0 } });
    for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += stats?.[name] ?? 0;
    await model.dispose();
  }
  return Object.values(seen);
}

describe("every request gets what it gets alone", () => {
  it("among ten thousand", { timeout: 600_000 }, async () => {
    const path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 7, context: 512 });
    expect(Math.min(...(await storm({ path, kinds: 400, requests: 10_000 })))).toBeGreaterThan(0);
  });

  it("where layers keep only a window", { timeout: 300_000 }, async () => {
    const happened = await withFixtureFile(findFixture("gemma3"), (path) =>
      storm({ path, kinds: 150, requests: 1500 }),
    );
    expect(Math.min(...happened)).toBeGreaterThan(0);
  });
});
