import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { benchModel } from "../../../scripts/bench-models.ts";
import { modelBytes, tinyLlama } from "../../../test/make-model.ts";
import { encodeHeader, type GgufContent } from "../../formats/gguf/encode.ts";
import { inspectFlint } from "./inspect.ts";
import { findVision } from "./vision/__fixtures__/fixtures.ts";

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

const projector = findVision("idefics3");

async function placeSeeing(options: Parameters<typeof tinyLlama>[0] = {}) {
  const path = await place();
  await writeFile(path, modelBytes(tinyLlama({ embedding: projector.width, ...options })));
  const beside = join(path, "..", "mmproj.gguf");
  await writeFile(beside, projector.bytes);
  return { path, beside };
}

it("knows what the projector takes: its weights, the work on its largest tile, and threads", async () => {
  const { path, beside } = await placeSeeing();
  const take = async (threads: number) => {
    const { pictures } = await inspectFlint(path, "seeing", { projector: { path: beside }, threads });
    return pictures ?? { weightBytes: NaN, workBytes: NaN };
  };
  const [one, two] = [await take(1), await take(2)];
  expect(one.weightBytes / projector.bytes.length).toBeGreaterThan(0.8);
  expect(one.weightBytes / projector.bytes.length).toBeLessThan(2);
  expect(two.weightBytes).toBe(one.weightBytes);
  const mebibyte = 1024 ** 2;
  expect(one.workBytes / mebibyte).toBeGreaterThan(64 + 80 + 30);
  expect((two.workBytes - one.workBytes) / mebibyte).toBeCloseTo(30.25, 1);
  expect(await inspectFlint(path, "seeing")).not.toHaveProperty("pictures");
});

it("counts nothing for the projector of another model, which is not used, and refuses a damaged one", async () => {
  const { path, beside } = await placeSeeing({ embedding: 128 });
  expect(await inspectFlint(path, "other", { projector: { path: beside } })).not.toHaveProperty("pictures");
  await writeFile(beside, projector.bytes.subarray(0, 300));
  await expect(inspectFlint(path, "cut", { projector: { path: beside } })).rejects.toMatchObject({
    code: "model_malformed",
  });
});
