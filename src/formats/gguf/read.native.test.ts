/** How long a large header takes: writing it is too slow for the fast tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tinyLlama } from "../../../test/make-model.ts";
import { llamaVocabulary } from "../../../test/make-vocabulary.ts";
import { readGguf } from "./read.ts";
import type { GgufFile } from "./types.ts";
import { validateForEngine } from "./validate.ts";
import { writeGguf } from "./write.ts";

test("a header of 250,000 tokens is read in under 400 ms", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hearth-gguf-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const { tokens, scores, types } = llamaVocabulary(250_000);
  const metadata = {
    ...tinyLlama().metadata,
    "tokenizer.ggml.tokens": { type: "array", of: "string", value: tokens },
    "tokenizer.ggml.scores": { type: "array", of: "float32", value: scores },
    "tokenizer.ggml.token_type": { type: "array", of: "int32", value: types },
  } as const;
  const path = join(folder, "wide.gguf");
  await writeGguf(path, { metadata, tensors: tinyLlama().tensors });
  const fastest = async (read: () => Promise<GgufFile>): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      await read();
      times.push(performance.now() - started);
    }
    return Math.min(...times);
  };
  expect(await fastest(async () => await readGguf(path))).toBeLessThan(400);
  expect(await fastest(async () => await readGguf(path, { skipArrays: true }))).toBeLessThan(400);
  validateForEngine(await readGguf(path));
});
