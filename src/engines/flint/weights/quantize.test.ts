import { describe, expect, it } from "vitest";
import golden from "./codecs/__fixtures__/blocks.json" with { type: "json" };
import { toFloat32 } from "./codecs/float.ts";
import { quantize } from "./quantize.ts";
import type { WritableType } from "./quantize.ts";

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

/**
 * Weights of a block, and the greatest error as a part of the greatest magnitude in it: half a step, or a whole one where
 * there is one code less on one side. K types give a little more away at the ends, for less error in all.
 */
const bounds = [
  ["Q4_0", 32, 1 / 8],
  ["Q4_1", 32, 1 / 14],
  ["Q5_0", 32, 1 / 16],
  ["Q5_1", 32, 1 / 30],
  ["Q8_0", 32, 1 / 250],
  ["Q4_K", 256, 1 / 10],
  ["Q5_K", 256, 1 / 25],
  ["Q6_K", 256, 1 / 30],
] as const;

describe.each(bounds)("quantizing to %s", (type, size, bound) => {
  const decoded = roundTrip(type, weights);

  it("loses no more than the format must", () => {
    for (let start = 0; start < weights.length; start += size) {
      const block = weights.subarray(start, start + size);
      const greatest = Math.max(...block.map(Math.abs));
      const worst = Math.max(...block.map((weight, i) => Math.abs(weight - decoded[start + i]!)));
      expect(worst / greatest).toBeLessThan(bound * 1.001);
    }
  });

  it("is about as near to the weights as ggml's quantizer", () => {
    const ratio = rmse(weights, decoded) / golden.types[type].rmse;
    expect(ratio).toBeLessThan(1.1);
  });

  it("keeps zeros, and weights that are all the same", () => {
    expect(roundTrip(type, new Float32Array(256)).every((value) => value === 0)).toBe(true);
    for (const value of [0.5, -3]) {
      const same = roundTrip(type, new Float32Array(256).fill(value));
      expect(Math.max(...same.map((decoded) => Math.abs(decoded / value - 1)))).toBeLessThan(0.02);
    }
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
