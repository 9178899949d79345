/**
 * Kernels of the float32 matrix product. One operand is read where it stands, a number at a time, in rows or in columns;
 * the other is packed before: `panelWidth` of its rows side by side, so that one load gives a vector of the result.
 */
import type { Code, FunctionCode, Local } from "../../engines/flint/kernels/wasm/code.ts";
import { func, loopWhile, sequence } from "../../engines/flint/kernels/wasm/code.ts";
import { f32x4, i32, v128 } from "../../engines/flint/kernels/wasm/instructions.ts";
import { wordTransposer } from "../../engines/flint/kernels/wasm/pack-transpose.ts";

/** Columns of the result that are computed side by side: two vectors of 256 bits. */
export const panelWidth = 16;
/** Rows of the result at a time: with as many columns their sums take 12 of 16 registers. */
export const tileRows = 6;

const vectors = [0, 1, 2, 3] as const;

export interface PanelShape {
  /** Of the result, 1 to `tileRows`. */
  readonly rows: number;
  /** Whether the product is added to what is there. */
  readonly add: boolean;
}

export function panelName({ rows, add }: PanelShape): string {
  return `panel-${rows}${add ? "-add" : ""}`;
}

type Params = readonly [Local, Local, Local, Local, Local, Local, Local, Local];

/**
 * (a, aRow, aStep, panel, k, c, cRow, tiles, factor): c[i][j] = factor · Σ_k a[i][k] · panel[k][j], or added to what is
 * there. R rows of c for each of `tiles` tiles. a[i][k] is at a + i · aRow + k · aStep. The sums are used in one place only:
 * with two the compiler would take its wide vectors apart in every step.
 */
export function panelKernel(shape: PanelShape): FunctionCode {
  const { rows, add } = shape;
  return func(panelName(shape), (scope) => {
    const params = Array.from({ length: 8 }, () => scope.param("i32")) as unknown as Params;
    const [a, aRow, aStep, panel, k, c, cRow, tiles] = params;
    const factor = scope.param("f32");
    const pointers = scope.locals("i32", rows);
    const [b, steps, target] = scope.locals("i32", 3) as [Local, Local, Local];
    const [weight, scale] = scope.locals("v128", 2) as [Local, Local];
    const values = scope.locals("v128", 4);
    const sums = Array.from({ length: rows }, () => scope.locals("v128", 4));
    const step = sequence(
      ...vectors.map((v) => values[v]?.set(v128.load(b.get, v * 16)) ?? []),
      ...sums.flatMap((row, index) => [
        weight.set(v128.load32splat(pointers[index]?.get ?? [])),
        ...row.map((sum, v) => sum.set(f32x4.relaxedMadd(weight.get, values[v]?.get ?? [], sum.get))),
      ]),
      ...pointers.map((pointer) => pointer.set(i32.add(pointer.get, aStep.get))),
      b.set(i32.add(b.get, i32.const(panelWidth * 4))),
    );
    const result = (sum: Local, v: number): Code =>
      add ? f32x4.relaxedMadd(sum.get, scale.get, values[v]?.get ?? []) : f32x4.mul(sum.get, scale.get);
    const tile = sequence(
      ...pointers.map((pointer, index) =>
        pointer.set(index === 0 ? a.get : i32.add(pointers[index - 1]?.get ?? [], aRow.get)),
      ),
      ...sums.flat().map((sum) => sum.set(v128.const32(0))),
      b.set(panel.get),
      steps.set(k.get),
      loopWhile(step, steps.tee(i32.sub(steps.get, i32.const(1)))),
      target.set(c.get),
      ...sums.flatMap((row) => [
        // All are read before the first is written: else they would not be one wide vector.
        ...(add ? values.map((value, v) => value.set(v128.load(target.get, v * 16))) : []),
        ...row.map((sum, v) => v128.store(target.get, result(sum, v), v * 16)),
        target.set(i32.add(target.get, cRow.get)),
      ]),
      a.set(i32.add(a.get, i32.mul(aRow.get, i32.const(rows)))),
      c.set(i32.add(c.get, i32.mul(cRow.get, i32.const(rows)))),
    );
    return sequence(scale.set(f32x4.splat(factor.get)), loopWhile(tile, tiles.tee(i32.sub(tiles.get, i32.const(1)))));
  });
}

/** `pack-columns`(b, step, panel, k): panel[k] = the `panelWidth` numbers at b + k · step. */
export function packColumns(): FunctionCode {
  return func("pack-columns", (scope) => {
    const [b, step, panel, k] = Array.from({ length: 4 }, () => scope.param("i32")) as [Local, Local, Local, Local];
    const body = sequence(
      ...vectors.map((v) => v128.store(panel.get, v128.load(b.get, v * 16), v * 16)),
      b.set(i32.add(b.get, step.get)),
      panel.set(i32.add(panel.get, i32.const(panelWidth * 4))),
    );
    return loopWhile(body, k.tee(i32.sub(k.get, i32.const(1))));
  });
}

/** `pack-rows`(b, row, panel, k): panel[k][j] = the number k at b + j · row. k is a multiple of 4. */
export function packRows(): FunctionCode {
  return func("pack-rows", (scope) => {
    const [b, row, panel, k] = Array.from({ length: 4 }, () => scope.param("i32")) as [Local, Local, Local, Local];
    const pointers = scope.locals("i32", 4);
    const transpose = wordTransposer(scope);
    const group = (v: number): Code => {
      const square = transpose(pointers.map((pointer) => v128.load(pointer.get)));
      return sequence(
        ...pointers.map((pointer, index) => {
          const before = pointers[(index + 3) % 4]?.get ?? [];
          return pointer.set(v === 0 && index === 0 ? b.get : i32.add(before, row.get));
        }),
        square.load,
        ...square.columns.map((column, q) => v128.store(panel.get, column, q * panelWidth * 4 + v * 16)),
      );
    };
    const body = sequence(
      ...vectors.map(group),
      b.set(i32.add(b.get, i32.const(16))),
      panel.set(i32.add(panel.get, i32.const(panelWidth * 16))),
    );
    return loopWhile(body, k.tee(i32.sub(k.get, i32.const(4))));
  });
}
