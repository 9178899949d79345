import { describe, expect, it } from "vitest";
import golden from "./codecs/__fixtures__/blocks.json" with { type: "json" };
import { toFloat32 } from "./codecs/float.ts";
import { quantize } from "./quantize.ts";
import type { WritableType } from "./quantize.ts";
import { createQuantizeMachine } from "./quantize/machine.ts";
import { quantizedTypes } from "./quantize/recipe.ts";

// The weights and the errors of ggml's own quantizers are written by scripts/golden/codecs.py.
const weights = new Float32Array(new Uint8Array(Buffer.from(golden.weights, "base64")).buffer);

function roundTrip(type: WritableType, values: Float32Array): Float32Array {
  const into = new Float32Array(values.length);
  toFloat32(type, quantize(type, values), into);
  return into;
}

function rmse(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);
}

/** Weights that all differ in what they count, so that every search has something to find. */
const importance = Float32Array.from({ length: 512 }, (_, column) => 1 + (column % 5));

describe.each(quantizedTypes)("quantizing to %s", (type) => {
  const decoded = roundTrip(type, weights);

  it("is at least as near to the weights as ggml's quantizer, but for one part in a hundred", () => {
    expect(rmse(weights, decoded) / golden.types[type].rmse).toBeLessThan(1.01);
  });

  it("keeps zeros, and weights that are all the same", () => {
    expect(roundTrip(type, new Float32Array(256)).every((value) => value === 0)).toBe(true);
    for (const value of [0.5, -3]) {
      const same = roundTrip(type, new Float32Array(256).fill(value));
      expect(Math.max(...same.map((decoded) => Math.abs(decoded / value - 1)))).toBeLessThan(0.02);
    }
  });

  it("does not depend on how many blocks are quantized at once", () => {
    const bytes = quantize(type, weights);
    const alone = quantize(type, weights.slice(0, 256));
    expect(bytes.subarray(0, alone.length)).toEqual(alone);
  });

  it("errs less where columns count more", () => {
    const machine = createQuantizeMachine(weights.length);
    const read = (counts: Float32Array | undefined): Float32Array => {
      const out = new Uint8Array(quantize(type, weights).length);
      machine.weights.set(weights);
      machine.write({ type, k: 512, importance: counts }, weights.length, out);
      const into = new Float32Array(weights.length);
      toFloat32(type, out, into);
      return into;
    };
    const weighted = (values: Float32Array): number =>
      values.reduce((sum, value, i) => sum + importance[i % 512]! * (value - weights[i]!) ** 2, 0);
    expect(weighted(read(importance))).toBeLessThanOrEqual(weighted(read(undefined)) * 1.02);
  });
});

describe("quantizing to floats", () => {
  const hard = Float32Array.of(0, -0, 1 / 3, -65_519, 65_520, 1e-7, 2 ** -25, 3 * 2 ** -25, 1.000_488_3, Infinity);

  it("rounds to the nearest F16, as JavaScript's own type does", () => {
    const values = Float32Array.of(...weights, ...hard);
    expect(roundTrip("F16", values)).toEqual(Float32Array.from(new Float16Array(values)));
  });

  it("rounds to the nearest BF16, ties to even", () => {
    const values = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8 - 2 ** -20, Infinity);
    expect([...roundTrip("BF16", values)]).toEqual([1, 1 + 2 ** -6, -1 - 2 ** -7, Infinity]);
  });

  it("copies F32", () => {
    expect(roundTrip("F32", hard)).toEqual(hard);
  });

  it("refuses parts of blocks", () => {
    expect(() => quantize("Q4_K", new Float32Array(32))).toThrow(RangeError);
  });
});

describe("weights that cannot be quantized", () => {
  it("are named when they are not finite", () => {
    const machine = createQuantizeMachine(256);
    const bytes = new Uint8Array(Float32Array.from({ length: 256 }, (_, i) => (i === 77 ? NaN : i)).buffer);
    machine.source.set(bytes);
    expect(() => machine.load("F32", 256)).toThrow(/not finite/);
    machine.source.set(new Uint8Array(Uint16Array.from({ length: 256 }, () => 0x7c00).buffer));
    expect(() => machine.load("F16", 256)).toThrow(/not finite/);
  });

  it("are named when no f16 can hold their scale", () => {
    expect(() => quantize("Q4_0", new Float32Array(32).fill(1e9))).toThrow(/no f16 can hold/);
  });
});
