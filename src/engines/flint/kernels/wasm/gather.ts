import type { FunctionCode, Local } from "./code.ts";
import { func, sequence } from "./code.ts";
import { f32, i32, select } from "./instructions.ts";
import { advance, repeat } from "./lanes.ts";

/**
 * `gather`(x, columns, y, count): y[i] = x[columns[i]]. The columns are whole numbers as floats; one that is not below
 * `count` counts as 0, so that whatever a file says, nothing but x is read.
 */
export function gather(): FunctionCode {
  return func("gather", (scope) => {
    const [x, columns, y, count] = Array.from({ length: 4 }, () => scope.param("i32")) as [Local, Local, Local, Local];
    const width = scope.local("i32");
    const column = scope.local("i32");
    const known = select(column.get, i32.const(0), i32.ltU(column.get, width.get));
    const body = sequence(
      column.set(i32.truncSatF32U(f32.load(columns.get))),
      f32.store(y.get, f32.load(i32.add(x.get, i32.shl(known, i32.const(2))))),
      advance([columns, y], 4),
    );
    return sequence(width.set(count.get), repeat(count, body));
  });
}
