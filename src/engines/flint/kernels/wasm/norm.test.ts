import { describe, expect, it } from "vitest";
import { compilations, instantiate, largestError, randomNumbers } from "./__fixtures__/instance.ts";
import type { NormShape } from "./norm.ts";
import { norm, normName } from "./norm.ts";

interface Reference {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly epsilon: number;
}

/** In float64. */
function reference(x: Float32Array, shape: NormShape, { weight, bias, epsilon }: Reference): number[] {
  const { width, groups = 1 } = shape;
  return [...x].map((value, index) => {
    const start = index - (index % width);
    const group = [...x.subarray(start, start + width)];
    const mean = shape.kind === "rms" ? 0 : group.reduce((sum, one) => sum + one, 0) / width;
    const variance = group.reduce((sum, one) => sum + (one - mean) ** 2, 0) / width;
    const place = index % (width * groups);
    const normed = ((value - mean) / Math.sqrt(variance + epsilon)) * (shape.weight ? (weight[place] ?? 0) : 1);
    return normed + (shape.bias ? (bias[place] ?? 0) : 0);
  });
}

const shapes: NormShape[] = [
  { kind: "rms", width: 256, weight: true, bias: false },
  { kind: "rms", width: 64, weight: true, bias: false, groups: 3 },
  { kind: "rms", width: 96, weight: false, bias: false },
  { kind: "rms", width: 20, weight: true, bias: true },
  { kind: "rms", width: 6, weight: true, bias: false },
  { kind: "layer", width: 256, weight: true, bias: true },
  { kind: "layer", width: 44, weight: true, bias: false, groups: 2 },
  { kind: "layer", width: 13, weight: false, bias: false },
];

describe.each(compilations)("norms as $name", ({ merge }) => {
  it.each(shapes)("are right within 1e-6: $kind, width $width", (shape) => {
    const { width, groups = 1 } = shape;
    const rows = 3;
    const count = width * groups * rows;
    const kernels = instantiate([norm(shape), norm({ ...shape, sum: true })], merge);
    const [a, b] = [randomNumbers(count, 3).map((value) => value + 0.5), randomNumbers(count, 3, 2)];
    const weight = randomNumbers(width * groups, 2, 3);
    const bias = randomNumbers(width * groups, 2, 4);
    const epsilon = 1e-5;
    const [w, c] = [kernels.write(weight), kernels.write(bias)];
    const y = kernels.place(count * 4 + 4);
    kernels.floats[y / 4 + count] = 7;
    kernels.call(normName(shape), kernels.write(a), w, c, y, rows, epsilon);
    expect(largestError(kernels.read(y, count), reference(a, shape, { weight, bias, epsilon }), 1)).toBeLessThan(1e-6);
    expect(kernels.floats[y / 4 + count]).toBe(7);

    // The sum may take the place of an input.
    const [left, right] = [kernels.write(a), kernels.write(b)];
    kernels.call(normName({ ...shape, sum: true }), left, right, right, w, c, y, rows, epsilon);
    const sum = a.map((value, i) => value + (b[i] ?? 0));
    expect(kernels.read(right, count)).toEqual(sum);
    expect(largestError(kernels.read(y, count), reference(sum, shape, { weight, bias, epsilon }), 1)).toBeLessThan(
      1e-6,
    );
  });
});
