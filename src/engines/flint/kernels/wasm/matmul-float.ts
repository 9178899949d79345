/** Matrix × few vectors over float weights: y[t][n] = Σ_k w[n][k] x[t][k], activations in float32. */
import type { FloatLayout } from "../../weights/layout.ts";
import { floatRowBytes, rowGroup } from "../../weights/layout.ts";
import type { Code, FunctionCode, Local } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import { constant } from "./constants.ts";
import { f32x4, i32, i32x4, v128 } from "./instructions.ts";

export interface FloatMatmulShape {
  readonly layout: FloatLayout;
  readonly k: number;
  /** Rows of activations, 1 to 4. */
  readonly tokens: number;
}

export function floatMatmulName({ layout, k, tokens }: FloatMatmulShape): string {
  return `matmul-${layout.type}-k${k}-t${tokens}`;
}

/**
 * Sums that a row keeps apart, so that an addition need not wait for the one before. The same for any number of rows:
 * a row's result does not depend on what else is in the step.
 */
const chains = 2;

/** (w, x, y, yStride, count): as `matmul`, but x is float32, rows `floatRowBytes` apart, and one row group is read at a time. */
export function floatMatmul(shape: FloatMatmulShape): FunctionCode {
  const { layout, k, tokens } = shape;
  return func(floatMatmulName(shape), (scope) => {
    const [w, x, y, yStride, count] = [0, 1, 2, 3, 4].map(() => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const [weights, values, step, row] = scope.locals("i32", 4) as [Local, Local, Local, Local];
    const sign = scope.local("v128");
    const scale = scope.local("v128");
    const chain = k % chains === 0 ? chains : 1;
    const sums = Array.from({ length: tokens }, () => Array.from({ length: chain }, () => scope.locals("v128", 2)));
    const weight = scope.locals("v128", 2);
    const bytes = layout.type === "f32" ? 4 : 2;
    const oneStep = (index: number): Code =>
      sequence(
        ...weight.map((vector, h) =>
          vector.set(widen(layout, weights.get, { offset: index * rowGroup * bytes + h * 4 * bytes, sign, scale })),
        ),
        ...sums.flatMap((chained, token) =>
          (chained[index % chain] ?? []).map((sum, h) =>
            sum.set(
              f32x4.relaxedMadd(
                weight[h]?.get ?? [],
                v128.load32splat(values.get, token * floatRowBytes(k) + index * 4),
                sum.get,
              ),
            ),
          ),
        ),
      );
    const block = sequence(
      ...Array.from({ length: chain }, (_, index) => oneStep(index)),
      weights.set(i32.add(weights.get, i32.const(chain * rowGroup * bytes))),
      values.set(i32.add(values.get, i32.const(chain * 4))),
    );
    const rows = sequence(
      weights.set(w.get),
      values.set(x.get),
      step.set(i32.const(k / chain)),
      ...sums.flat(2).map((sum) => sum.set(v128.const32(0))),
      loopWhile(block, step.tee(i32.sub(step.get, i32.const(1)))),
      row.set(y.get),
      ...sums.flatMap((chained, token) => [
        ...(token > 0 ? [row.set(i32.add(row.get, yStride.get))] : []),
        ...[0, 1].map((h) => v128.store(row.get, sumOf(chained, h), h * 16)),
      ]),
      w.set(i32.add(w.get, i32.const(k * rowGroup * bytes))),
      y.set(i32.add(y.get, i32.const(rowGroup * 4))),
    );
    return sequence(
      sign.set(constant("halfSign")),
      scale.set(constant("halfScale")),
      loopWhile(rows, count.tee(i32.sub(count.get, i32.const(1)))),
    );
  });
}

function sumOf(chained: readonly Local[][], h: number): Code {
  const [first, ...rest] = chained.map((pair) => pair[h]?.get ?? []);
  return rest.reduce((sum, one) => f32x4.add(sum, one), first ?? []);
}

export interface WidenOptions {
  readonly offset: number;
  readonly sign: Local;
  readonly scale: Local;
}

/** Four weights as float32; `sign` and `scale`: the constants of half floats. */
export function widen({ type }: FloatLayout, address: Code, { offset, sign, scale }: WidenOptions): Code {
  switch (type) {
    case "f32":
      return v128.load(address, offset);
    case "bf16":
      return i32x4.shl(v128.load16x4u(address, offset), i32.const(16));
    case "f16":
      return f32x4.mul(v128.and(i32x4.shl(v128.load16x4s(address, offset), i32.const(13)), sign.get), scale.get);
  }
}
