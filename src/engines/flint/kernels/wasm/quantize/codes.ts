/** Chooses the code of every weight when the scales are known. */
import type { Code, FunctionCode, Local } from "../code.ts";
import { func, loopWhile, sequence } from "../code.ts";
import { f32x4, i16x8, i32, i8x16, v128 } from "../instructions.ts";
import type { GroupSize } from "./quad.ts";
import { tableCode } from "./rounding.ts";

export type CodeKind =
  | { readonly group: GroupSize; readonly last: number }
  | { readonly group: 32; readonly table: Int8Array };

export function codesName(kind: CodeKind): string {
  return "table" in kind ? "codes-table" : `codes-${kind.last}x${kind.group}`;
}

/** A sum with this number has the integer part of the other, rounded, in its lowest bits. */
const roundBits = 2 ** 23;

/**
 * (x, inverses, offsets, codes, groups): a byte for each weight: x · inverse + offset rounded to an integer from 0 to
 * `last`, or the code of the table's value nearest to x · inverse (then offsets are not read).
 */
export function chooseCodes(kind: CodeKind): FunctionCode {
  return func(codesName(kind), (scope) => {
    const [x, inverses, offsets, codes, groups] = [0, 1, 2, 3, 4].map(() => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const [inverse, offset, zero, last, round, low] = scope.locals("v128", 6) as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const byTable = "table" in kind ? tableCode(scope, kind.table) : undefined;
    const four = (at: number): Code => {
      const value = v128.load(x.get, at);
      if (byTable) return byTable(f32x4.mul(value, inverse.get));
      const place = f32x4.relaxedMadd(value, inverse.get, offset.get);
      const clamped = f32x4.pmin(f32x4.pmax(place, zero.get), last.get);
      return v128.and(f32x4.add(clamped, round.get), low.get);
    };
    const sixteen = (index: number): Code =>
      v128.store(
        codes.get,
        i8x16.narrow16u(
          i16x8.narrow32s(four(index * 64), four(index * 64 + 16)),
          i16x8.narrow32s(four(index * 64 + 32), four(index * 64 + 48)),
        ),
        index * 16,
      );
    const next = (pointer: Local, bytes: number): Code => pointer.set(i32.add(pointer.get, i32.const(bytes)));
    return sequence(
      zero.set(v128.constF32(0)),
      last.set(v128.constF32("table" in kind ? 0 : kind.last)),
      round.set(v128.constF32(roundBits)),
      low.set(v128.const32(255)),
      loopWhile(
        sequence(
          inverse.set(v128.load32splat(inverses.get)),
          byTable ? [] : offset.set(v128.load32splat(offsets.get)),
          ...Array.from({ length: kind.group / 16 }, (_, index) => sixteen(index)),
          next(x, kind.group * 4),
          next(codes, kind.group),
          next(inverses, 4),
          next(offsets, 4),
        ),
        groups.tee(i32.sub(groups.get, i32.const(1))),
      ),
    );
  });
}
