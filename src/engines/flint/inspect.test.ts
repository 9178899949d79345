import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { benchModel } from "../../../scripts/bench-models.ts";
import { modelBytes, tinyLlama } from "../../../test/make-model.ts";
import { encodeHeader, type GgufContent } from "../../formats/gguf/encode.ts";
import { inspectFlint } from "./inspect.ts";

async function place(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hearth-inspect-"));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  return join(folder, "model.gguf");
}

/** The header, and behind it a hole as long as the tensors. */
async function writeHollow(content: GgufContent): Promise<string> {
  const path = await place();
  const header = encodeHeader(content);
  const padded = header.tensorBytes.map((size) => Math.ceil(size / header.alignment) * header.alignment);
  await writeFile(path, header.bytes);
  const file = await open(path, "r+");
  await file.truncate(header.bytes.length + padded.reduce((sum, size) => sum + size, 0));
  await file.close();
  return path;
}

const shape = { layers: 1, embedding: 2048, feedForward: 8192, heads: 32, keyHeads: 8, vocabulary: 1000 };

it("knows the size of the weights in memory: codes stay as wide as they are in the file", async () => {
  const content = benchModel(shape, "q4_0");
  const inFile = encodeHeader(content).tensorBytes.reduce((sum, size) => sum + size, 0);
  const { weightBytes, blockTokens, rowBytes } = await inspectFlint(await writeHollow(content), "one layer");
  expect(weightBytes / inFile).toBeGreaterThan(0.99);
  expect(weightBytes / inFile).toBeLessThan(1.05);
  expect(blockTokens).toBe(32);
  expect(rowBytes).toBe(4 * (2048 * 16 + 1000));
});

it.skipIf(process.platform === "win32")("takes more weights than a 32-bit address reaches", async () => {
  const content = benchModel({ ...shape, layers: 80 }, "q8_0");
  expect((await inspectFlint(await writeHollow(content), "big")).weightBytes).toBeGreaterThan(2 ** 32);
});

it("refuses a model in several files, and says so", async () => {
  const path = await place();
  const uint16 = (value: number) => ({ type: "uint16", value }) as const;
  const metadata = { "split.count": uint16(2), "split.no": uint16(0) };
  await writeFile(path, modelBytes(tinyLlama({ metadata })));
  await expect(inspectFlint(path, "parts")).rejects.toMatchObject({
    code: "model_unsupported",
    message: "parts is in 2 files; flint reads models of one.",
  });
});
