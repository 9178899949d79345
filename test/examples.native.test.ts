/** The examples with real models. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeTinyBert, makeTinyLlama } from "./make-model.ts";
import { cachedDataFolder, cachedLibrary } from "./real-model.ts";
import { runExample } from "./run-example.ts";

const env = { HEARTH_DATA: cachedDataFolder(), HEARTH_DEVICE: "cpu", HEARTH_DISK_CACHE: "off" };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-examples-"));
  await cachedLibrary().pull("tinyllama");
}, 900_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("chat answers", async () => {
  const { code, stdout } = await runExample("chat.ts", ["tinyllama"], env);
  expect(stdout).toContain("Paris");
  expect(code).toBe(0);
});

test("stream shows the answer and its rate", async () => {
  const { code, stdout, output } = await runExample("stream.ts", ["tinyllama"], { ...env, HEARTH_CONTEXT: "512" });
  expect(stdout.length).toBeGreaterThan(40);
  expect(output).toMatch(/\d+ tokens, \d+\.\d a second \((stop|length)\)/);
  expect(code).toBe(0);
});

test("many answers every question", async () => {
  const { code, stdout } = await runExample("many.ts", ["tinyllama"], env);
  expect(stdout.trimEnd().split("\n").length).toBeGreaterThanOrEqual(8);
  expect(stdout).toMatch(/^France: .*Paris/m);
  expect(code).toBe(0);
});

test("pull says what is here", async () => {
  const { code, stdout } = await runExample("pull.ts", ["tinyllama"], env);
  expect(stdout).toMatch(/^tinyllama:1\.1b: 323 MB\nModels here: .*tinyllama:1\.1b/);
  expect(code).toBe(0);
});

test("similarity ranks by embeddings, then by a reranker", async () => {
  const embedder = await makeTinyBert(join(folder, "embed.gguf"), { pooling: "mean", seed: 1 });
  const reranker = await makeTinyBert(join(folder, "rank.gguf"), { pooling: "rank", seed: 2 });
  const { code, stdout } = await runExample("similarity.ts", [embedder, reranker], env);
  const [first, second, third, , title, ...reranked] = stdout.trimEnd().split("\n");
  const scores = [first, second, third].map((line) => Number(line?.split(" ")[0]));
  expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  expect(title).toBe("Reranked:");
  expect(reranked).toHaveLength(2);
  expect(code).toBe(0);
});

test("tools offers a function and ends, also with a model that does not call it", async () => {
  const path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 2048 });
  const { code, output } = await runExample("tools.ts", [path], { ...env, HEARTH_CONTEXT: "2048" });
  expect(output).not.toContain("Error");
  expect(code).toBe(0);
});
