/** The whole bench on a tiny model: real servers, all scenarios, few tokens. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { createHearth } from "../../tasks/hearth.ts";
import { runServeBench } from "./index.ts";
import { formatServeReport } from "./report.ts";
import type { Sizes } from "./scenarios.ts";

const folder = await mkdtemp(join(tmpdir(), "hearth-serve-bench-"));
const model = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 1024 });
const hearth = createHearth({ settings: { data: join(folder, "data"), engine: "flint", device: "cpu", threads: 2 } });
const program = [process.execPath, fileURLToPath(new URL("../../cli.ts", import.meta.url))];
const peerModule = import.meta.resolve("node-llama-cpp");

afterAll(async () => {
  await hearth.dispose();
  await rm(folder, { recursive: true, force: true });
});

const sizes: Sizes = {
  batch: { clients: 2, promptTokens: 16, tokens: 8 },
  mixed: { clients: 2, requests: 2, least: 4, most: 16 },
  prefix: { clients: 2, prefixTokens: 64, ownTokens: 4 },
  agent: { turns: 3, newTokens: 16, answerTokens: 8 },
  restart: { prefixTokens: 64, ownTokens: 4 },
  repeat: { tokens: 16, texts: 1 },
  ordinary: { tokens: 16, texts: 1 },
  queue: { clients: 12, users: 3, heavy: 6, slots: 2, promptTokens: 8, tokens: 4 },
};

async function leftovers(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith("hearth-bench-"));
}

test("every scenario runs on real servers, and each of its figures is there", async () => {
  const before = await leftovers();
  const report = await runServeBench({ hearth, model, program, runs: 1, sizes });
  expect(report).toMatchObject({ engine: "flint", device: "cpu", threads: 2, runs: 1, skipped: [] });
  for (const { figures } of report.scenarios) {
    for (const { name, values } of figures) expect([name, values["hearth"]]).toEqual([name, expect.any(Number)]);
  }
  const queue = report.scenarios.find(({ name }) => name === "queue");
  expect(queue?.figures.find(({ name }) => name === "failures")?.values["hearth"]).toBe(0);
  expect(formatServeReport(report)).toContain("batch: 2 clients at once, 16 tokens in, 8 out");
  expect(await leftovers()).toEqual(before);
});

test("the peer takes its turn in the same run, goes on from what it has computed, and has a ratio", async () => {
  const options = { hearth, model, program, runs: 1, sizes, vs: "llama.cpp", peerModule } as const;
  const report = await runServeBench({ ...options, only: ["agent"] });
  for (const { figures } of report.scenarios) {
    expect(figures[0]?.values["llama.cpp"]).toBeGreaterThan(0);
    expect(figures[0]?.ratios["llama.cpp"]).toBeGreaterThan(0);
  }
});

test("an interrupted bench stops what it has started", async () => {
  const before = await leftovers();
  const controller = new AbortController();
  const work = runServeBench({
    hearth,
    model,
    program,
    sizes,
    runs: 1000,
    only: ["batch"],
    signal: controller.signal,
    onProgress: () => controller.abort(new Error("enough")),
  });
  await expect(work).rejects.toThrow("enough");
  expect(await leftovers()).toEqual(before);
});
