import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeTinyLlama } from "../../test/make-model.ts";
import { detectFormat } from "./detect.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-detect-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

function safetensors(length: bigint, json: string): Uint8Array {
  const bytes = Buffer.alloc(8 + json.length);
  bytes.writeBigUInt64LE(length);
  bytes.write(json, 8);
  return bytes;
}

describe("the format is told by the content, whatever the name", () => {
  test("GGUF", async () => {
    expect(await detectFormat(await makeTinyLlama(join(folder, "model.safetensors")))).toBe("gguf");
  });

  test("safetensors, only with a header that fits the file", async () => {
    const json = '{"__metadata__":{}}';
    expect(await detectFormat(await write("a.bin", safetensors(BigInt(json.length), json)))).toBe("safetensors");
    expect(await detectFormat(await write("b.bin", safetensors(1n << 40n, json)))).toBeUndefined();
    expect(
      await detectFormat(await write("c.bin", safetensors(BigInt(json.length), json.replace("{", "[")))),
    ).toBeUndefined();
  });

  test("ONNX and TensorFlow Lite", async () => {
    const onnx = Uint8Array.from([0x08, 0x08, 0x12, 0x07, ...Buffer.from("pytorch"), 0x3a, 0x02, 0, 0]);
    expect(await detectFormat(await write("x", onnx))).toBe("onnx");
    expect(await detectFormat(await write("y", Buffer.from("\u001c\0\0\0TFL3\u0014\0\0\0")))).toBe("tflite");
  });

  test("nothing at all in empty files, short files, texts and folders", async () => {
    for (const content of ["", "G", "GGU", "\u0008", "# a README", "{}"]) {
      expect(await detectFormat(await write("none", content))).toBeUndefined();
    }
    expect(await detectFormat(folder)).toBeUndefined();
  });
});

describe("files that are never opened are refused by name", () => {
  test.each([
    ["model.gguf", Uint8Array.of(0x80, 4, 0x95, 0), /is a Python pickle/],
    ["model.safetensors", Buffer.from("PK\u0003\u0004rest"), /is a ZIP archive/],
    ["model.h5", Buffer.from("\u0089HDF\r\n", "latin1"), /is an HDF5 file/],
    ["model.gz", Uint8Array.of(0x1f, 0x8b, 8), /is a gzip archive/],
    ["model.lfs", Buffer.from("version https://git-lfs.github.com/spec/v1\n"), /is a Git LFS pointer/],
    ["model.html", Buffer.from("\n<!DOCTYPE html><html>"), /is a web page/],
  ])("%s", async (name, bytes, message) => {
    const path = await write(name, bytes);
    await expect(detectFormat(path)).rejects.toMatchObject({ code: "model_malformed" });
    await expect(detectFormat(path)).rejects.toThrow(message);
  });

  test("a format of the past", async () => {
    await expect(detectFormat(await write("old.bin", "tjgg\u0003\0\0\0"))).rejects.toMatchObject({
      code: "model_unsupported",
    });
  });
});
