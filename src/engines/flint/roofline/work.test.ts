import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { modelBytes, tinyLlama } from "../../../../test/make-model.ts";
import { modelWork } from "./work.ts";

it("adds up the matrices that a token passes; the head is no part of a prompt", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hearth-work-"));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  const path = join(folder, "tiny.gguf");
  const content = tinyLlama({ layers: 2, embedding: 64, heads: 4, kvHeads: 2 });
  await writeFile(path, modelBytes(content));
  const size = (pattern: RegExp): number =>
    content.tensors
      .filter(({ name }) => pattern.test(name))
      .reduce((sum, { shape }) => sum + shape.reduce((product, length) => product * length, 1), 0);
  const layers = size(/^blk\.\d+\.(attn_[qkvo]|attn_output|ffn_(gate|up|down))\b/);
  const work = await modelWork(path, "tiny");
  // The last layer's part after the attention is computed for the last token only.
  expect(work.prefillOperations).toBeLessThanOrEqual(2 * layers);
  expect(work.prefillOperations).toBeGreaterThan(layers);
  const head = content.tensors.find(({ name }) => name === "output.weight")?.shape ?? [];
  const rows = Math.ceil((head[1] ?? 0) / 8) * 8;
  expect(work.decodeBytes).toBe(4 * (layers + (head[0] ?? 0) * rows));
});
