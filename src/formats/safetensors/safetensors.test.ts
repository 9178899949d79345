import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { encodeSafetensorsHeader } from "./encode.ts";
import { parseShardIndex } from "./index-file.ts";
import { headerLength, parseSafetensors } from "./parse.ts";
import { openSafetensors } from "./read.ts";

function bytesOf(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  for (let i = 0; i < dataBytes; i++) bytes[8 + json.length + i] = i;
  return bytes;
}

function parse(header: unknown, dataBytes: number): ReturnType<typeof parseSafetensors> {
  const bytes = bytesOf(header, dataBytes);
  const place = { name: "a.safetensors", fileBytes: bytes.length };
  return parseSafetensors(bytes.subarray(8, 8 + headerLength(bytes, place)), place);
}

const two = { dtype: "F16", shape: [2, 2], data_offsets: [0, 8] };
const one = { dtype: "F32", shape: [1], data_offsets: [8, 12] };

test("a file is read: names, types, shapes, and the bytes of the data", () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-safetensors-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "a.safetensors");
  writeFileSync(
    path,
    bytesOf(
      { __metadata__: { format: "pt" }, b: one, a: two, none: { ...one, shape: [0], data_offsets: [12, 12] } },
      12,
    ),
  );
  const { file, read, close } = openSafetensors(path);
  const target = new Uint8Array(4);
  read(file.tensors.get("b")?.offset ?? 0, target);
  close();
  expect([...target]).toEqual([8, 9, 10, 11]);
  expect(file.metadata.get("format")).toBe("pt");
  expect(file.tensors.get("a")).toMatchObject({ dtype: "F16", shape: [2, 2], sizeBytes: 8 });
});

test("what is written is read again", () => {
  const header = encodeSafetensorsHeader([
    { name: "x", dtype: "BF16", shape: [3, 4] },
    { name: "y", dtype: "F32", shape: [2] },
  ]);
  expect(header.length % 8).toBe(0);
  const file = parseSafetensors(header.subarray(8), { name: "a", fileBytes: header.length + 32 });
  expect([...file.tensors.values()].map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([
    ["x", 24],
    ["y", 8],
  ]);
});

test.each<[string, unknown, number, RegExp]>([
  ["no JSON", "{", 0, /not JSON/],
  ["no object", "[]", 0, /no JSON object/],
  ["a tensor that is no object", { a: 1 }, 0, /no JSON object/],
  ["a type that does not exist", { a: { ...two, dtype: "F17" } }, 8, /F17/],
  ["a prototype's name as a type", { a: { ...two, dtype: "constructor" } }, 8, /constructor/],
  ["a negative dimension", { a: { ...two, shape: [-2, -2] } }, 8, /whole numbers/],
  ["a shape beyond all numbers", { a: { ...two, shape: [2 ** 40, 2 ** 40] } }, 8, /no file holds/],
  ["a size that does not follow from the shape", { a: { ...two, shape: [3] } }, 8, /6 bytes, but it has 8/],
  ["offsets that go backwards", { a: { ...two, data_offsets: [8, 0] } }, 8, /no range/],
  ["data beyond the end", { a: two }, 7, /cut short/],
  ["data that overlaps", { a: two, b: { ...one, data_offsets: [4, 8] } }, 8, /shares 4 bytes/],
  ["a gap", { a: two, b: { ...one, data_offsets: [12, 16] } }, 16, /behind 4 bytes/],
  ["bytes at the end", { a: two }, 9, /1 bytes of no tensor/],
  ["metadata that is no text", { __metadata__: { a: 1 } }, 0, /no text/],
])("a file with %s is refused", (_, header, dataBytes, message) => {
  expect(() => parse(header, dataBytes)).toThrow(
    expect.objectContaining({ code: "model_malformed", message: expect.stringMatching(message) }),
  );
});

test("a header that claims to be larger than the file is refused before it is read", () => {
  const start = new Uint8Array(8);
  new DataView(start.buffer).setBigUint64(0, 2n ** 60n, true);
  expect(() => headerLength(start, { name: "a", fileBytes: 100 })).toThrow(/only 92 follow/);
  expect(() => headerLength(start, { name: "a", fileBytes: 2 ** 61 })).toThrow(/at most 100000000/);
  expect(() => headerLength(start.subarray(0, 3), { name: "a", fileBytes: 3 })).toThrow(/3 bytes/);
});

test("an index says which file holds a tensor, and cannot name files elsewhere", () => {
  expect(parseShardIndex({ weight_map: { a: "model-00001-of-00002.safetensors" } }, "index").get("a")).toBe(
    "model-00001-of-00002.safetensors",
  );
  for (const file of ["../a.safetensors", "/a.safetensors", "a.bin", "b/c.safetensors", 1]) {
    expect(() => parseShardIndex({ weight_map: { a: file } }, "index")).toThrow(/no name of a shard/);
  }
  expect(() => parseShardIndex({}, "index")).toThrow(/no weight_map/);
});
