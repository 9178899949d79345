import { describe, expect, it } from "vitest";
import { compilations, instantiate, largestError, randomNumbers } from "./__fixtures__/instance.ts";
import { add, addBias, addScaled, copy, multiply, scale, softCap } from "./elementwise.ts";

describe.each(compilations)("element-wise functions as $name", ({ merge }) => {
  it.each([1, 4, 7, 8, 32, 45])("treat %i elements and no more", (count) => {
    const kernels = instantiate([add(), multiply(), scale(), addScaled(), softCap(), copy()], merge);
    const [a, b] = [randomNumbers(count, 100), randomNumbers(count, 100, 2)];
    const [x, other] = [kernels.write(a), kernels.write(b)];
    const y = kernels.place(count * 4 + 4);
    const check = (name: string, args: number[], reference: (a: number, b: number) => number): void => {
      kernels.floats.set(b, y / 4);
      kernels.floats[y / 4 + count] = 7;
      kernels.call(name, ...args, y, count);
      const expected = [...a].map((value, i) => reference(value, b[i] ?? 0));
      expect(largestError(kernels.read(y, count), expected, 1)).toBeLessThan(5e-7);
      expect(kernels.floats[y / 4 + count]).toBe(7);
    };
    check("add", [x, other], (p, q) => p + q);
    check("multiply", [x, other], (p, q) => p * q);
    check("scale", [x, 0.75], (p) => 0.75 * p);
    check("add-scaled", [x, 0.75], (p, q) => 0.75 * p + q);
    check("soft-cap", [x, 30], (p) => 30 * Math.tanh(p / 30));
    check("copy", [x], (p) => p);
  });

  it("add a bias to every row", () => {
    const kernels = instantiate([addBias()], merge);
    const [width, rows] = [44, 3];
    const [a, b] = [randomNumbers(width * rows), randomNumbers(width, 1, 2)];
    const y = kernels.place(width * rows * 4);
    kernels.call("add-bias", kernels.write(a), kernels.write(b), y, width, rows);
    const expected = [...a].map((value, i) => value + (b[i % width] ?? 0));
    expect(largestError(kernels.read(y, width * rows), expected, 1)).toBeLessThan(1e-7);
  });
});
