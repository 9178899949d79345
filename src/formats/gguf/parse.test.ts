// oxlint-disable vitest/expect-expect -- expectMalformed and refusal assert
import { describe, expect, test } from "vitest";
import { modelBytes, tinyBert, tinyLlama } from "../../../test/make-model.ts";
import { HearthError } from "../../error.ts";
import { encodeHeader } from "./encode.ts";
import type { GgufContent, GgufTypedValue } from "./encode.ts";
import { parseGguf } from "./parse.ts";
import { isGgufArray } from "./types.ts";
import type { GgufFile } from "./types.ts";

/** The error of a parser that must refuse. */
function refusal(bytes: Uint8Array): HearthError {
  try {
    parseGguf(bytes);
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw error;
  }
  throw new Error("the file was accepted");
}

function expectMalformed(bytes: Uint8Array, field: string, problem: RegExp): void {
  const error = refusal(bytes);
  expect(error.code).toBe("model_malformed");
  expect(error.message).toMatch(problem);
  expect(error.details["field"]).toBe(field);
  expect(error.details["offset"]).toBeTypeOf("number");
  expect(error.message).toContain(`${field} at byte ${String(error.details["offset"])}`);
}

const data = new Uint8Array(64);
const oneTensor = { name: "a.weight", type: "F32", shape: [16], data } as const;

function file(
  metadata: Record<string, GgufTypedValue>,
  tensors: GgufContent["tensors"] = [oneTensor],
): Uint8Array<ArrayBuffer> {
  return modelBytes({ metadata, tensors });
}

/** Where the bytes of a text first stand. */
function find(bytes: Uint8Array, text: string): number {
  const at = Buffer.from(bytes).indexOf(text);
  if (at < 0) throw new Error(`no ${text} in the file`);
  return at;
}

function patch(bytes: Uint8Array, at: number, write: (view: DataView) => void): Uint8Array {
  const copy = new Uint8Array(bytes);
  write(new DataView(copy.buffer, at));
  return copy;
}

const big = (value: bigint) => (view: DataView) => view.setBigUint64(0, BigInt.asUintN(64, value), true);
const small = (value: number) => (view: DataView) => view.setUint32(0, value, true);

describe("a well-formed file", () => {
  test("gives back every type of value as it was written", () => {
    const parsed = parseGguf(
      file({
        "a.u8": { type: "uint8", value: 200 },
        "a.i8": { type: "int8", value: -3 },
        "a.u16": { type: "uint16", value: 60_000 },
        "a.i16": { type: "int16", value: -300 },
        "a.u32": { type: "uint32", value: 4_000_000_000 },
        "a.i32": { type: "int32", value: -70_000 },
        "a.f32": { type: "float32", value: 0.5 },
        "a.f64": { type: "float64", value: Math.PI },
        "a.u64": { type: "uint64", value: 2n ** 63n },
        "a.i64": { type: "int64", value: -(2n ** 62n) },
        "a.yes": { type: "bool", value: true },
        "a.text": { type: "string", value: "größer ▁ 🦙" },
      }),
    );
    expect(Object.fromEntries(parsed.metadata)).toEqual({
      "a.u8": 200,
      "a.i8": -3,
      "a.u16": 60_000,
      "a.i16": -300,
      "a.u32": 4_000_000_000,
      "a.i32": -70_000,
      "a.f32": 0.5,
      "a.f64": Math.PI,
      "a.u64": 2n ** 63n,
      "a.i64": -(2n ** 62n),
      "a.yes": true,
      "a.text": "größer ▁ 🦙",
    });
    expect(parsed.entries.get("a.u8")).toEqual({ type: "uint8", offset: 24 });
  });

  test("gives back arrays, whose strings are decoded when they are asked for", () => {
    const parsed = parseGguf(
      file({
        texts: { type: "array", of: "string", value: ["", "ab", "ü"] },
        none: { type: "array", of: "string", value: [] },
        floats: { type: "array", of: "float32", value: [1, 2.5] },
        flags: { type: "array", of: "bool", value: [true, false] },
        wide: { type: "array", of: "int64", value: [-1n, 2n] },
      }),
    );
    const texts = parsed.metadata.get("texts");
    if (!isGgufArray(texts) || texts.type !== "string" || !texts.strings) throw new Error("no strings");
    expect([...texts.strings]).toEqual(["", "ab", "ü"]);
    expect(texts.strings.at(1)).toBe("ab");
    expect(texts.strings.byteLength(2)).toBe(2);
    expect(() => texts.strings?.at(3)).toThrow(RangeError);
    expect(parsed.metadata.get("none")).toMatchObject({ type: "string", length: 0 });
    expect(parsed.metadata.get("floats")).toEqual({ type: "float32", length: 2, numbers: Float32Array.of(1, 2.5) });
    expect(parsed.metadata.get("flags")).toEqual({ type: "bool", length: 2, numbers: Uint8Array.of(1, 0) });
    expect(parsed.metadata.get("wide")).toEqual({ type: "int64", length: 2, numbers: BigInt64Array.of(-1n, 2n) });
  });

  test("leaves the contents of arrays out when only the rest matters", () => {
    const parsed = parseGguf(modelBytes(tinyLlama()), { skipArrays: true });
    const whole = parseGguf(modelBytes(tinyLlama()));
    expect(parsed.metadata.get("tokenizer.ggml.tokens")).toEqual({ type: "string", length: 792 });
    expect(parsed.metadata.get("tokenizer.ggml.scores")).toEqual({ type: "float32", length: 792 });
    expect(parsed.tensors).toEqual(whole.tensors);
    expect(parsed.metadata.get("llama.block_count")).toBe(2);
  });

  test.each(["F32", "F16", "Q8_0", "Q4_0"] as const)("lists the tensors of a %s model", (type) => {
    const bytes = modelBytes(tinyLlama({ type }));
    const parsed = parseGguf(bytes);
    expect(parsed).toMatchObject({ version: 3, alignment: 32, fileBytes: bytes.length });
    expect(parsed.tensors[0]).toMatchObject({ name: "token_embd.weight", shape: [64, 792], typeName: type, offset: 0 });
    expect(parsed.tensors).toHaveLength(21);
    const last = parsed.tensors.at(-1);
    expect(parsed.dataOffset + (last?.offset ?? 0) + (last?.sizeBytes ?? 0)).toBeLessThanOrEqual(bytes.length);
  });

  test("is read as version 2 too", () => {
    expect(parseGguf(patch(file({}), 4, small(2))).version).toBe(2);
  });

  test("may hold no tensors and end right behind its last key", () => {
    const { bytes } = encodeHeader({ metadata: { a: { type: "uint8", value: 1 } }, tensors: [] });
    expect(parseGguf(bytes.subarray(0, 24 + 8 + 1 + 4 + 1)).metadata.get("a")).toBe(1);
  });

  test("says which part of a split model it is", () => {
    const split = (no: number, count: number): GgufFile =>
      parseGguf(file({ "split.no": { type: "uint16", value: no }, "split.count": { type: "uint16", value: count } }));
    expect(split(1, 3)).toMatchObject({ splitIndex: 1, splitCount: 3 });
    expect(split(0, 1).splitCount).toBeUndefined();
    expect(() => split(3, 3)).toThrow(/split\.no at byte \d+ is 3, but there are 3 parts/);
  });
});

describe("a file of another kind is refused by name", () => {
  test.each([
    [0x01, "model_unsupported", /GGUF version 1; versions 2 and 3/],
    [0x04, "model_unsupported", /GGUF version 4/],
    [0x00, "model_unsupported", /GGUF version 0/],
    [0x03000000, "model_unsupported", /big-endian/],
  ])("version %s", (version, code, message) => {
    const error = refusal(patch(file({}), 4, small(version)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test("another magic, and the formats before GGUF", () => {
    expectMalformed(patch(file({}), 0, small(0x12345678)), "magic", /is not "GGUF"\./);
    expectMalformed(patch(file({}), 0, small(0x67676a74)), "magic", /the format "ggjt" that GGUF replaced/);
  });
});

describe("tensor data outside the file (T-GGUF-1)", () => {
  const bytes = file({});
  const offsetAt = find(bytes, "a.weight") + 8 + 4 + 8 + 4;

  test.each([
    ["one step behind the end", 32n, /only 64 bytes follow the header/],
    ["at the end", 64n, /only 64 bytes/],
    ["far behind the end", 1n << 40n, /but the file has \d+ bytes/],
    ["at 2^63", 1n << 63n, /has data at 9223372036854775808/],
    ["near 2^64, where the sum wraps around", (1n << 64n) - 32n, /has data at/],
  ])("%s", (_, offset, problem) => {
    expectMalformed(patch(bytes, offsetAt, big(offset)), "a.weight", problem);
  });

  test("cut by one byte", () => {
    expectMalformed(bytes.subarray(0, bytes.length - 1), "a.weight", /has data up to 64, but only 63 bytes/);
  });

  test("not aligned", () => {
    expectMalformed(patch(bytes, offsetAt, big(4n)), "a.weight", /no multiple of 32/);
  });

  test("shared between two tensors", () => {
    const two = file({}, [oneTensor, { ...oneTensor, name: "b.weight" }]);
    const second = find(two, "b.weight") + 8 + 4 + 8 + 4;
    expectMalformed(patch(two, second, big(32n)), "b.weight", /overlaps that of a\.weight/);
    expectMalformed(patch(two, second, big(0n)), "b.weight", /overlaps/);
  });
});

describe("sizes that overflow (T-GGUF-2)", () => {
  const matrix = file({}, [{ name: "m.weight", type: "F32", shape: [4, 2, 2, 1], data }]);
  const shapeAt = find(matrix, "m.weight") + 8 + 4;

  test.each([
    ["2^32 in two dimensions", [1n << 32n, 1n << 32n]],
    ["2^62 elements of 4 bytes", [1n << 62n, 1n]],
    ["all bits set", [(1n << 64n) - 1n, (1n << 64n) - 1n]],
    ["a product of exactly 2^64", [1n << 16n, 1n << 48n]],
  ])("%s", (_, [first, second]) => {
    let bytes = patch(matrix, shapeAt, big(first ?? 0n));
    bytes = patch(bytes, shapeAt + 8, big(second ?? 0n));
    expectMalformed(bytes, "m.weight", /needs \d+ bytes of data/);
  });

  test("no elements in a dimension", () => {
    expectMalformed(patch(matrix, shapeAt + 8, big(0n)), "m.weight", /no elements in dimension 1/);
  });

  test.each([0, 5, 0xffffffff])("%s dimensions", (count) => {
    expectMalformed(patch(matrix, shapeAt - 4, small(count)), "m.weight", /dimensions; 1 to 4 are possible/);
  });

  test("rows that are no whole blocks", () => {
    const quantized = file({}, [{ name: "q.weight", type: "Q8_0", shape: [32], data: new Uint8Array(34) }]);
    expectMalformed(
      patch(quantized, find(quantized, "q.weight") + 12, big(33n)),
      "q.weight",
      /Q8_0 needs a multiple of 32/,
    );
  });

  test.each([4, 31, 36, 43, 255, 0xffffffff])("the unknown tensor type %s", (type) => {
    const bytes = file({});
    expectMalformed(patch(bytes, find(bytes, "a.weight") + 8 + 4 + 8, small(type)), "a.weight", /unknown tensor type/);
  });

  test.each([0, 1, 3, 48, 2 ** 17, 2 ** 31, 2 ** 32 - 1])("an alignment of %s", (value) => {
    const bytes = file({ "general.alignment": { type: "uint32", value: 64 } });
    expectMalformed(
      patch(bytes, find(bytes, "general.alignment") + 17 + 4, small(value)),
      "general.alignment",
      /must be a power of two from 8 to 65536/,
    );
  });

  test("an alignment of another type", () => {
    expectMalformed(
      file({ "general.alignment": { type: "uint64", value: 32n } }),
      "general.alignment",
      /must be uint32/,
    );
  });
});

describe("a length is believed only as far as the file goes (T-GGUF-3)", () => {
  const cases: readonly [string, GgufTypedValue, number][] = [
    ["a string", { type: "string", value: "abc" }, 0],
    ["an array of strings", { type: "array", of: "string", value: ["a", "b"] }, 4],
    ["an array of numbers", { type: "array", of: "float64", value: [1, 2] }, 4],
    ["an array of bytes", { type: "array", of: "uint8", value: [1, 2] }, 4],
  ];
  for (const [name, value, shift] of cases) {
    test.each([100_000n, 1n << 32n, 1n << 53n, (1n << 61n) + 1n, (1n << 64n) - 1n])(`${name} of %s`, (length) => {
      const bytes = file({ the_key: value });
      expectMalformed(patch(bytes, find(bytes, "the_key") + 7 + 4 + shift, big(length)), "the_key", /elements follow/);
    });
  }

  test("an element of an array that is longer than the file", () => {
    const bytes = file({ the_key: { type: "array", of: "string", value: ["first", "second"] } });
    expectMalformed(
      patch(bytes, find(bytes, "second") - 8, big(1n << 40n)),
      "the_key",
      /has an element 1 of 1099511627776 bytes/,
    );
  });

  test.each([
    ["tensors", 8, "tensor count"],
    ["keys", 16, "key count"],
  ])("the number of %s", (_, at, field) => {
    for (const count of [1000n, 1n << 40n, 1n << 63n, (1n << 64n) - 1n]) {
      expectMalformed(patch(file({}), at, big(count)), field, /elements follow/);
    }
  });

  test("a damaged 1 KiB file costs next to no memory", () => {
    const bytes = patch(file({ k: { type: "array", of: "string", value: ["a"] } }), 33 + 4 + 4, big(40n));
    const before = process.memoryUsage();
    for (let round = 0; round < 200; round++) expect(refusal(bytes).code).toBe("model_malformed");
    const after = process.memoryUsage();
    const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
    expect(grown).toBeLessThan(16 * 1024 ** 2);
  });
});

describe("a file that ends too early (T-GGUF-4)", () => {
  test("is refused at every length", () => {
    const bytes = modelBytes(tinyBert({ layers: 1, embedding: 32, context: 16 }));
    const { dataOffset } = parseGguf(bytes);
    for (let length = 0; length < dataOffset; length += 1) {
      const error = refusal(bytes.subarray(0, length));
      if (error.code !== "model_malformed") throw new Error(`${length}: ${error.code} ${error.message}`);
    }
    for (let length = dataOffset; length < bytes.length; length += 97) {
      if (refusal(bytes.subarray(0, length)).code !== "model_malformed") throw new Error(String(length));
    }
  });
});

describe("entries that no writer makes (T-GGUF-5)", () => {
  test("an array of arrays", () => {
    const bytes = file({ the_key: { type: "array", of: "uint32", value: [1, 2, 3] } });
    expectMalformed(patch(bytes, find(bytes, "the_key") + 7 + 4, small(9)), "the_key", /array of arrays/);
  });

  test.each([13, 14, 255, 2 ** 31, 2 ** 32 - 1])("the unknown value type %s", (type) => {
    const bytes = file({ the_key: { type: "uint32", value: 1 } });
    expectMalformed(patch(bytes, find(bytes, "the_key") + 7, small(type)), "the_key", /unknown value type/);
    const array = file({ the_key: { type: "array", of: "uint32", value: [1] } });
    expectMalformed(patch(array, find(array, "the_key") + 11, small(type)), "the_key", /unknown value type/);
  });

  test("a key twice", () => {
    const bytes = file({ first: { type: "uint32", value: 1 }, other: { type: "uint32", value: 2 } });
    bytes.set(new TextEncoder().encode("first"), find(bytes, "other"));
    expectMalformed(bytes, "first", /is there twice/);
  });

  test("a tensor twice", () => {
    const bytes = file({}, [oneTensor, { ...oneTensor, name: "b.weight" }]);
    bytes.set(new TextEncoder().encode("a"), find(bytes, "b.weight"));
    expectMalformed(bytes, "a.weight", /is there twice/);
  });

  test("names that are empty, too long, no UTF-8, or hold a zero byte", () => {
    expectMalformed(file({ "": { type: "uint8", value: 1 } }), "key 0", /has no name/);
    expectMalformed(file({}, [{ ...oneTensor, name: "" }]), "tensor 0", /has no name/);
    expectMalformed(file({}, [{ ...oneTensor, name: "n".repeat(64) }]), "tensor 0", /at most 63/);
    expectMalformed(file({ "a\0b": { type: "uint8", value: 1 } }), "key 0", /zero byte/);
    const bytes = file({ the_key: { type: "uint8", value: 1 } });
    expectMalformed(bytes.with(find(bytes, "the_key"), 0xff), "key 0", /not UTF-8/);
  });

  test("a boolean that is neither 0 nor 1", () => {
    const bytes = file({ the_key: { type: "bool", value: true } });
    expectMalformed(bytes.with(find(bytes, "the_key") + 7 + 4, 2), "the_key", /boolean must be 0 or 1/);
    const array = file({ the_key: { type: "array", of: "bool", value: [true, true] } });
    expectMalformed(array.with(find(array, "the_key") + 7 + 16 + 1, 7), "the_key", /the byte 7/);
  });

  test("a name with control characters is shown as escapes", () => {
    const bytes = file({ "a\u001b[31m\nb": { type: "bool", value: true } });
    const error = refusal(bytes.with(find(bytes, "[31m") + 6 + 4, 9));
    expect(error.message).toContain("a\\u001b[31m\\u000ab at byte");
  });
});
