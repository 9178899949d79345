import { mkdtemp, open, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeTinyLlama, modelBytes, tinyLlama } from "../../../test/make-model.ts";
import { parseGguf } from "./parse.ts";
import { readGguf } from "./read.ts";
import { isGgufArray } from "./types.ts";
import { writeGguf } from "./write.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-gguf-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("reading from a file", () => {
  test("gives the same as parsing its bytes", async () => {
    const path = await makeTinyLlama(join(folder, "same.gguf"), { type: "Q8_0" });
    const read = await readGguf(path);
    const parsed = parseGguf(modelBytes(tinyLlama({ type: "Q8_0" })));
    expect(read.tensors).toEqual(parsed.tensors);
    expect([...read.metadata.keys()]).toEqual([...parsed.metadata.keys()]);
    expect(read.dataOffset).toBe(parsed.dataOffset);
    expect(read.name).toBe("same.gguf");
  });

  test("takes a header that needs several reads", async () => {
    const path = await makeTinyLlama(join(folder, "several.gguf"), {
      vocabulary: 20_000,
      embedding: 32,
      layers: 1,
      type: "Q4_0",
    });
    const tokens = (await readGguf(path)).metadata.get("tokenizer.ggml.tokens");
    if (!isGgufArray(tokens) || tokens.type !== "string") throw new Error("no tokens");
    expect(tokens.strings?.at(19_999)).toBe("▁word19999");
    expect(tokens.strings?.at(0)).toBe("<unk>");
  });

  test("reads nothing but the header of a file of 64 GiB", async () => {
    const path = join(folder, "huge.gguf");
    await writeFile(path, modelBytes(tinyLlama()));
    await truncate(path, 64 * 1024 ** 3); // sparse
    const before = process.memoryUsage().arrayBuffers;
    const started = performance.now();
    expect((await readGguf(path)).fileBytes).toBe(64 * 1024 ** 3);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 ** 2);
  });

  test("does not believe a huge array in a huge file", async () => {
    const path = join(folder, "claims.gguf");
    const bytes = modelBytes({ metadata: { k: { type: "array", of: "string", value: ["a"] } }, tensors: [] });
    new DataView(bytes.buffer).setBigUint64(24 + 8 + 1 + 4 + 4, 100_000_000n, true);
    await writeFile(path, bytes);
    await truncate(path, 8 * 1024 ** 3);
    const before = process.memoryUsage().arrayBuffers;
    await expect(readGguf(path)).rejects.toMatchObject({ code: "model_malformed", details: { field: "k" } });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 ** 2);
  });

  test("stops when it is cancelled", async () => {
    const path = await makeTinyLlama(join(folder, "cancel.gguf"));
    await expect(readGguf(path, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });

  test("says that there is no such file, and that a folder is none", async () => {
    await expect(readGguf(join(folder, "none.gguf"))).rejects.toMatchObject({ code: "model_not_found" });
    await expect(readGguf(folder)).rejects.toMatchObject({ code: "model_malformed" });
  });

  test.each([0, 1, 4, 23])("a file of %s bytes is refused", async (size) => {
    const path = join(folder, "short.gguf");
    await writeFile(path, modelBytes(tinyLlama()).subarray(0, size));
    await expect(readGguf(path)).rejects.toMatchObject({ code: "model_malformed" });
  });
});

describe("writing a file", () => {
  test("takes tensors piece by piece", async () => {
    const path = join(folder, "pieces.gguf");
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1, 2, 3);
      yield await Promise.resolve(Uint8Array.of(4, 5));
    }
    const tensors = [
      { name: "a", type: "I8", shape: [5], data: pieces },
      { name: "b", type: "I8", shape: [2], data: Uint8Array.of(8, 9) },
    ] as const;
    await writeGguf(path, { metadata: { "general.alignment": { type: "uint32", value: 64 } }, tensors });
    const { dataOffset, tensors: read, alignment } = await readGguf(path);
    expect(alignment).toBe(64);
    expect(read.map((tensor) => tensor.offset)).toEqual([0, 64]);
    const file = await open(path);
    const { buffer } = await file.read(new Uint8Array(66), 0, 66, dataOffset);
    await file.close();
    expect([...buffer.subarray(0, 6)]).toEqual([1, 2, 3, 4, 5, 0]);
    expect([...buffer.subarray(64)]).toEqual([8, 9]);
  });

  test("leaves no file behind when the data does not fit the shape", async () => {
    const path = join(folder, "wrong.gguf");
    const tensors = [{ name: "a", type: "F32", shape: [4], data: new Uint8Array(15) }] as const;
    await expect(writeGguf(path, { metadata: {}, tensors })).rejects.toThrow(/needs 16 bytes of data; 15 were given/);
    await expect(stat(path)).rejects.toThrow(/ENOENT/);
  });

  test("the same seed gives the same bytes, another seed others", () => {
    expect(modelBytes(tinyLlama({ seed: 7 }))).toEqual(modelBytes(tinyLlama({ seed: 7 })));
    expect(modelBytes(tinyLlama({ seed: 7 }))).not.toEqual(modelBytes(tinyLlama({ seed: 8 })));
  });
});
