import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { Codec, Codes } from "./contract.ts";
import { toFloat32 } from "./float.ts";
import { codecOf } from "./table.ts";
import golden from "./__fixtures__/blocks.json" with { type: "json" };

// Written by scripts/golden/codecs.py: random blocks, blocks that ggml quantized, and every point of the grids. All
// arithmetic is the same few f32 roundings as ggml's, so that every bit must agree.
const types = Object.entries(golden.types) as [GgmlTypeName, { source: string; first: string; digest: string }][];

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function weightsIn(type: GgmlTypeName, source: Uint8Array): number {
  const { blockSize, blockBytes } = ggmlType(type);
  return (source.length / blockBytes) * blockSize;
}

function dequantize(type: GgmlTypeName, source: Uint8Array): Float32Array {
  const weights = new Float32Array(weightsIn(type, source));
  toFloat32(type, source, weights);
  return weights;
}

function codesFor(codec: Codec, weights: number): Required<Codes> {
  const groups = weights / codec.format.group;
  return { codes: new Uint8Array(weights), scales: new Float32Array(groups), mins: new Float32Array(groups) };
}

describe.each(types)("%s", (type, { source: base64, first, digest }) => {
  const source = bytesOf(base64);

  it("gives the weights of ggml, bit for bit", () => {
    const weights = dequantize(type, source);
    const expected = new Float32Array(bytesOf(first).buffer);
    expect([...weights.subarray(0, expected.length)]).toEqual([...expected]);
    expect(createHash("sha256").update(new Uint8Array(weights.buffer)).digest("hex")).toBe(digest);
  });

  it("does not care where in a buffer the blocks stand", () => {
    const shifted = new Uint8Array(source.length + 3);
    shifted.set(source, 1);
    expect(dequantize(type, shifted.subarray(1, 1 + source.length))).toEqual(dequantize(type, source));
  });

  it("has codes that fit its format", () => {
    const codec = codecOf(type)!;
    const weights = weightsIn(type, source);
    const { codes } = codecInto(codec, source, weights);
    expect(codes.every((code) => code < 2 ** codec.format.bits)).toBe(true);
    expect(codec.format.table?.length ?? 16).toBe(16);
  });

  it("refuses parts of blocks, missing bytes and missing room", () => {
    const codec = codecOf(type)!;
    const { blockSize } = ggmlType(type);
    expect(() => codec.decode(source, blockSize / 2, codesFor(codec, blockSize))).toThrow(RangeError);
    expect(() => codec.decode(source.subarray(1, 9), blockSize, codesFor(codec, blockSize))).toThrow(RangeError);
    expect(() => codec.decode(source, blockSize * 2, codesFor(codec, blockSize))).toThrow(RangeError);
  });
});

function codecInto(codec: Codec, source: Uint8Array, weights: number): Required<Codes> {
  const into = codesFor(codec, weights);
  codec.decode(source, weights, into);
  return into;
}

describe.each(types.filter(([type]) => ggmlType(type).blockSize === 256))("super-blocks of %s", (type, { source }) => {
  it("have two levels whose products are the scales and mins", () => {
    const codec = codecOf(type)!;
    const blocks = bytesOf(source);
    const weights = weightsIn(type, blocks);
    const { group } = codec.format;
    const levels = {
      codes: new Uint8Array(weights),
      subScales: new Int8Array(weights / group),
      subMins: new Uint8Array(weights / group),
      d: new Float32Array(weights / 256),
      dmin: new Float32Array(weights / 256),
    };
    codec.decodeSuper!(blocks, weights, levels);
    const flat = codecInto(codec, blocks, weights);
    const parent = (index: number): number => Math.floor((index * group) / 256);
    expect(levels.codes).toEqual(flat.codes);
    expect(levels.subScales.length).toBe(flat.scales.length);
    expect(Float32Array.from(levels.subScales, (scale, i) => scale * levels.d[parent(i)]!)).toEqual(flat.scales);
    expect(Float32Array.from(levels.subMins, (min, i) => min * levels.dmin[parent(i)]!)).toEqual(flat.mins);
  });
});

describe("floats", () => {
  const samples = [0, -0, 1, -2.5, 65_504, 2 ** -24, 3 * 2 ** -20, 0.333_251_953_125, Infinity, -Infinity, NaN];

  it("widens F16 exactly", () => {
    expect([...dequantize("F16", new Uint8Array(new Float16Array(samples).buffer))]).toEqual(samples);
  });

  it("widens BF16 and copies F32", () => {
    const bits = new Uint16Array([0x3f80, 0xc020, 0x0001, 0x7f80]);
    expect([...dequantize("BF16", new Uint8Array(bits.buffer))]).toEqual([1, -2.5, 2 ** -133, Infinity]);
    const floats = Float32Array.of(1.5, -0, 1e-40);
    expect(dequantize("F32", new Uint8Array(floats.buffer))).toEqual(floats);
  });

  it("refuses types that hold no weights", () => {
    expect(codecOf("Q8_K")).toBeUndefined();
    expect(() => toFloat32("I32", new Uint8Array(4), new Float32Array(1))).toThrow("type I32 cannot be used");
    expect(() => toFloat32("F16", new Uint8Array(4), new Float32Array(4))).toThrow(RangeError);
  });
});
