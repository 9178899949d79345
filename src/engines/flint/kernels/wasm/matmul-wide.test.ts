import { describe, expect, it } from "vitest";
import { compilations, instantiate, randomNumbers } from "./__fixtures__/instance.ts";
import { wideMatmul, wideMatmulName, widenName, widenWeights } from "./matmul-wide.ts";
import { packRows } from "../../weights/pack.ts";
import { runWide } from "../../graph/wide.ts";

const [k, n, rows] = [24, 32, 7];

/** The upper bits of float32: numbers that are the same in each of the types. */
const exact = (values: ArrayLike<number>): Float32Array =>
  Float32Array.from(values, (value) => Math.round(value * 16) / 16);

describe.each(compilations)("matrices of steps with many rows, as $name", ({ merge }) => {
  it.each(["F32", "F16", "BF16"] as const)("give the products of plain arithmetic for weights of %s", (type) => {
    const layout = { kind: "float", type: type.toLowerCase() as "f32" | "f16" | "bf16" } as const;
    const sizes = [1, 2, 3, 4].map((tokens) => ({ k, tokens }));
    const kernels = instantiate([widenWeights(layout), ...sizes.map(wideMatmul)], merge);
    const [weights, input] = [exact(randomNumbers(n * k, 4)), exact(randomNumbers(rows * k, 4))];
    const w = kernels.place(n * k * 4);
    packRows({ type, k, rows: n, source: encode(type, weights), target: kernels.bytes.subarray(w, w + n * k * 4) });
    const x = kernels.write(input);
    const y = kernels.place(rows * n * 4);
    const scratch = kernels.place(n * k * 4);
    const call =
      (name: string) =>
      (...args: number[]): void =>
        kernels.call(name, ...args);
    // Room for a pair: the matrix takes two turns.
    const wide = { most: 1, widen: call(widenName(layout)), kernels: sizes.map((size) => call(wideMatmulName(size))) };
    runWide(wide, { layout, k, scratch, w, groups: n / 8, x, xStride: k * 4, y, yStride: n * 4, rows });
    const expected = Array.from({ length: rows * n }, (_, at) => {
      const [row, out] = [Math.floor(at / n), at % n];
      let sum = 0;
      for (let index = 0; index < k; index++) sum += (input[row * k + index] ?? 0) * (weights[out * k + index] ?? 0);
      return sum;
    });
    // Whole multiples of 1/256, far below 2^24 of them: exact.
    expect([...kernels.read(y, rows * n)]).toEqual(expected);
  });
});

function encode(type: "F32" | "F16" | "BF16", values: Float32Array): Uint8Array {
  if (type === "F32") return new Uint8Array(values.buffer);
  if (type === "F16") return new Uint8Array(Float16Array.from(values).buffer);
  const bits = new Uint32Array(values.buffer);
  return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
}
