/**
 * Matrices of floats for steps of many rows, where weights are used so often that it pays to widen them first: then two row
 * groups at once keep the multipliers busy. Sums are made in another order than by `matmul-float.ts`: not for steps whose
 * rows must not depend on how many there are.
 */
import type { FloatLayout } from "../../weights/layout.ts";
import { floatRowBytes, rowGroup } from "../../weights/layout.ts";
import type { Code, FunctionCode, Local } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import { constant } from "./constants.ts";
import { f32x4, i32, v128 } from "./instructions.ts";
import { widen } from "./matmul-float.ts";

/** Row groups that are read side by side. */
export const wideGroups = 2;

export interface WideShape {
  readonly k: number;
  /** Rows of activations, 1 to 4. */
  readonly tokens: number;
}

export function wideMatmulName({ k, tokens }: WideShape): string {
  return `matmul-wide-k${k}-t${tokens}`;
}

/** (w, x, y, yStride, count): as `floatMatmul`, with `count` pairs of row groups of float32. */
export function wideMatmul(shape: WideShape): FunctionCode {
  const { k, tokens } = shape;
  const groupBytes = k * rowGroup * 4;
  return func(wideMatmulName(shape), (scope) => {
    const params = ["w", "x", "y", "yStride", "count"].map(() => scope.param("i32"));
    const [w, x, y, yStride, count] = params as [Local, Local, Local, Local, Local];
    const [weights, values, step, row] = scope.locals("i32", 4) as [Local, Local, Local, Local];
    const vectors = Array.from({ length: wideGroups * 2 }, (_, index) => ({
      weight: scope.local("v128"),
      offset: Math.floor(index / 2) * groupBytes + (index % 2) * 16,
      at: index * 16,
    }));
    const sums = Array.from({ length: tokens }, () => scope.locals("v128", vectors.length));
    const block: Code = sequence(
      ...vectors.map(({ weight, offset }) => weight.set(v128.load(weights.get, offset))),
      ...sums.flatMap((own, token) =>
        own.map((sum, index) => {
          const value = v128.load32splat(values.get, token * floatRowBytes(k));
          return sum.set(f32x4.relaxedMadd(vectors[index]?.weight.get ?? [], value, sum.get));
        }),
      ),
      weights.set(i32.add(weights.get, i32.const(rowGroup * 4))),
      values.set(i32.add(values.get, i32.const(4))),
    );
    const pair = sequence(
      weights.set(w.get),
      values.set(x.get),
      step.set(i32.const(k)),
      ...sums.flat().map((sum) => sum.set(v128.const32(0))),
      loopWhile(block, step.tee(i32.sub(step.get, i32.const(1)))),
      row.set(y.get),
      ...sums.flatMap((own, token) => [
        ...(token > 0 ? [row.set(i32.add(row.get, yStride.get))] : []),
        ...own.map((sum, index) => v128.store(row.get, sum.get, vectors[index]?.at ?? 0)),
      ]),
      w.set(i32.add(w.get, i32.const(wideGroups * groupBytes))),
      y.set(i32.add(y.get, i32.const(wideGroups * rowGroup * 4))),
    );
    return loopWhile(pair, count.tee(i32.sub(count.get, i32.const(1))));
  });
}

export function widenName({ type }: FloatLayout): string {
  return `widen-${type}`;
}

/** (x, y, count): `count` weights, a multiple of 8, as float32. */
export function widenWeights(layout: FloatLayout): FunctionCode {
  const bytes = layout.type === "f32" ? 4 : 2;
  return func(widenName(layout), (scope) => {
    const [x, y, count] = Array.from({ length: 3 }, () => scope.param("i32")) as [Local, Local, Local];
    const [sign, scale] = scope.locals("v128", 2) as [Local, Local];
    const block = sequence(
      ...[0, 4].map((at) => v128.store(y.get, widen(layout, x.get, { offset: at * bytes, sign, scale }), at * 4)),
      x.set(i32.add(x.get, i32.const(8 * bytes))),
      y.set(i32.add(y.get, i32.const(32))),
    );
    return sequence(
      sign.set(constant("halfSign")),
      scale.set(constant("halfScale")),
      loopWhile(block, count.tee(i32.sub(count.get, i32.const(8)))),
    );
  });
}
