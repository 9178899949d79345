/** Products of two matrices of float32, both of any strides: what calibration computes with. */
import type { Code, FunctionCode, Local } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import { f32x4, i32, v128 } from "./instructions.ts";
import { lessOne } from "./lanes.ts";

/** Rows and columns of the result that a tile has. */
export const tileRows = 4;
export const tileColumns = 16;

const vectors = Array.from({ length: tileColumns / 4 }, (_, index) => index);

/**
 * (a, aStride, aStep, b, bStep, c, cStride, k, groups): C += A · B, C of 4 · groups rows and 16 columns. Strides go from row
 * to row, steps along k, all in bytes; the 16 columns of B and C lie side by side.
 */
export function tile(): FunctionCode {
  return func("tile", (scope) => {
    const [a, aStride, aStep, b, bStep, c, cStride, k, groups] = Array.from({ length: 9 }, () =>
      scope.param("i32"),
    ) as [Local, Local, Local, Local, Local, Local, Local, Local, Local];
    const right = scope.local("i32");
    const steps = scope.local("i32");
    const rows = Array.from({ length: tileRows }, () => ({
      left: scope.local("i32"),
      out: scope.local("i32"),
      sums: scope.locals("v128", vectors.length),
    }));
    const columns = scope.locals("v128", vectors.length);
    const walk = (pointer: "left" | "out", start: Local, stride: Local): Code[] =>
      rows.map((row, index) => {
        const before = index === 0 ? start.get : i32.add(rows[index - 1]![pointer].get, stride.get);
        return row[pointer].set(before);
      });
    const step = sequence(
      columns.map((column, index) => column.set(v128.load(right.get, index * 16))),
      ...rows.map(({ left, sums }) =>
        sums.map((sum, index) => sum.set(f32x4.relaxedMadd(v128.load32splat(left.get), columns[index]!.get, sum.get))),
      ),
      right.set(i32.add(right.get, bStep.get)),
      rows.map(({ left }) => left.set(i32.add(left.get, aStep.get))),
    );
    const group = sequence(
      walk("left", a, aStride),
      walk("out", c, cStride),
      ...rows.map(({ out, sums }) => sums.map((sum, index) => sum.set(v128.load(out.get, index * 16)))),
      right.set(b.get),
      steps.set(k.get),
      loopWhile(step, lessOne(steps)),
      ...rows.map(({ out, sums }) => sums.map((sum, index) => v128.store(out.get, sum.get, index * 16))),
      a.set(i32.add(a.get, i32.mul(aStride.get, i32.const(tileRows)))),
      c.set(i32.add(c.get, i32.mul(cStride.get, i32.const(tileRows)))),
    );
    return loopWhile(group, lessOne(groups));
  });
}
