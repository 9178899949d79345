import { describe, expect, it } from "vitest";
import {
  activationBytes,
  activationRecord,
  blockWidth,
  superActivation,
  superActivationBytes,
  superWidth,
} from "../../weights/layout.ts";
import { compilations, instantiate, randomNumbers } from "./__fixtures__/instance.ts";
import { quantizers } from "./__fixtures__/matrix.ts";

const k = 512;

/** Rows of all sizes: random ones, zeros, tiny and huge numbers, one large among small, ties between two codes. */
const rows: readonly (readonly [string, Float32Array])[] = [
  ["random numbers", randomNumbers(k, 3)],
  ["zeros", new Float32Array(k)],
  ["tiny numbers", randomNumbers(k, 1e-30)],
  ["huge numbers", randomNumbers(k, 1e30)],
  [
    "one large number among small ones",
    randomNumbers(k, 0.01).map((value, index) => (index % 100 === 7 ? -100 : value)),
  ],
  [
    "halves between two codes",
    Float32Array.from({ length: k }, (_, index) => (index % 32 === 0 ? 127 : (index % 64) - 31.5)),
  ],
];

/** The nearest code, the even one of two. */
function nearest(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value) + 0;
  return (low % 2 === 0 ? low : low + 1) + 0;
}

function expectedCodes(row: Float32Array, width: number): { readonly codes: number[]; readonly scales: number[] } {
  const codes: number[] = [];
  const scales: number[] = [];
  for (let start = 0; start < k; start += width) {
    const block = row.subarray(start, start + width);
    const largest = Math.max(...block.map(Math.abs));
    const inverse = largest > 0 ? Math.fround(127 / largest) : 0;
    scales.push(Math.fround(largest * Math.fround(1 / 127)));
    codes.push(...Array.from(block, (value) => nearest(Math.fround(value * inverse))));
  }
  return { codes, scales };
}

const sum = (codes: readonly number[], from: number, count: number): number =>
  codes.slice(from, from + count).reduce((total, code) => total + code, 0);

describe.each(compilations)("a row of activations with $name", ({ merge }) => {
  const kernels = instantiate(quantizers(), merge);
  const short = (at: number): number =>
    (((kernels.bytes[at] ?? 0) | ((kernels.bytes[at + 1] ?? 0) << 8) | 0) << 16) >> 16;
  const float = (at: number): number => kernels.floats[at / 4] ?? 0;

  it.each(rows)("becomes codes with a scale for each 32: %s", (_, row) => {
    const at = kernels.place(activationBytes(k));
    kernels.call("quantize", kernels.write(row), at, k);
    const { codes, scales } = expectedCodes(row, blockWidth);
    expect([...new Int8Array(kernels.memory.buffer, at, k)]).toEqual(codes);
    scales.forEach((scale, block) => {
      const record = at + k + block * activationRecord.bytes;
      const [low, high] = [sum(codes, block * 32, 16), sum(codes, block * 32 + 16, 16)];
      expect(float(record + activationRecord.scale)).toBe(scale);
      expect([0, 2].map((half) => short(record + activationRecord.start + half))).toEqual(
        [-4 * (low + high), -4 * (low + high)].map((value) => value | 0),
      );
      const scaled = [low + high, low, high].map((total) => Math.fround(scale * total));
      const fields = [activationRecord.sum, activationRecord.firstHalf, activationRecord.lastHalf];
      expect(fields.map((field) => float(record + field))).toEqual(scaled);
    });
  });

  it.each(rows)("becomes codes with a scale for each 256: %s", (_, row) => {
    const at = kernels.place(superActivationBytes(k));
    kernels.call("quantize-super", kernels.write(row), at, k);
    const { codes, scales } = expectedCodes(row, superWidth);
    expect([...new Int8Array(kernels.memory.buffer, at, k)]).toEqual(codes);
    scales.forEach((scale, block) => {
      const record = at + k + block * superActivation.bytes;
      expect(float(record + superActivation.scale)).toBe(scale);
      const sums = (field: number, width: number): number[] =>
        Array.from({ length: superWidth / width }, (_, index) => short(record + field + index * 2));
      const wanted = (width: number): number[] =>
        Array.from({ length: superWidth / width }, (_, index) => sum(codes, block * superWidth + index * width, width));
      expect(sums(superActivation.sums32, 32)).toEqual(wanted(32));
      expect(sums(superActivation.sums16, 16)).toEqual(wanted(16));
    });
  });

  it.each(rows)("leaves a rest that is no larger than half a code: %s", (_, row) => {
    const at = kernels.place(activationBytes(k));
    const rest = kernels.place(k * 4);
    const x = kernels.write(row);
    kernels.call("quantize", x, at, k);
    kernels.call("rest", x, at, rest, k);
    const { codes, scales } = expectedCodes(row, blockWidth);
    const expected = Array.from(row, (value, index) =>
      Math.fround(value - Math.fround((codes[index] ?? 0) * (scales[index >> 5] ?? 0))),
    );
    expect(expected.map((_, index) => float(rest + index * 4))).toEqual(expected);
    expected.forEach((value, index) => expect(Math.abs(value)).toBeLessThanOrEqual((scales[index >> 5] ?? 0) * 0.501));
  });
});
