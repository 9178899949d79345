/** The value that a code has nearest to a number of each lane, and which code that is. */
import type { Code, Local, Scope } from "../code.ts";
import { sequence } from "../code.ts";
import { f32x4, i32, i32x4, i8x16, v128 } from "../instructions.ts";
import { clampRound } from "./quad.ts";

/** Integers from −half to half − 1, or up to `half` and down to −half; or the 16 values of a table, in rising order. */
export type Rounding = { readonly half: number; readonly even?: boolean } | { readonly table: Int8Array };

export function roundingName(rounding: Rounding): string {
  return "table" in rounding ? "table" : `${rounding.half}${rounding.even ? "e" : ""}`;
}

export interface Rounder {
  /** Goes to the function's begin. */
  readonly constants: Code;
  readonly nearest: (value: Code) => Code;
  /** Where `nearest` may be a little wrong, this is not, and slower. */
  readonly exact: (value: Code) => Code;
}

export function rounder(scope: Scope, rounding: Rounding): Rounder {
  if ("table" in rounding) return tableRounder(scope, rounding.table);
  const [least, most] = scope.locals("v128", 2) as [Local, Local];
  const { half, even } = rounding;
  const nearest = (value: Code): Code => clampRound(value, least, most);
  return {
    constants: sequence(least.set(v128.constF32(-half)), most.set(v128.constF32(even ? half : half - 1))),
    nearest,
    exact: nearest,
  };
}

/**
 * The code of a number of the table's range is about a polynomial of it; the value is looked up. Near the middle between
 * two values it may take the one that is a little farther off: good enough for a search, which counts with what it took.
 */
function tableRounder(scope: Scope, table: Int8Array): Rounder {
  const number = scope.local("v128");
  const [zero, last, round, high, values, lowest] = scope.locals("v128", 6) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const factors = polynomialOf(table);
  const powers = scope.locals("v128", factors.length);
  const [first = [], ...rest] = powers.map(({ get }) => get).toReversed();
  const place = rest.reduce((sum, factor) => f32x4.relaxedMadd(sum, number.get, factor), first);
  const code = f32x4.add(f32x4.pmin(f32x4.pmax(place, zero.get), last.get), round.get);
  return {
    constants: sequence(
      zero.set(v128.constF32(0)),
      last.set(v128.constF32(table.length - 1)),
      round.set(v128.constF32(2 ** 23)),
      // Bytes of a lane that are not the code give 0.
      high.set(v128.const32(0x80_80_80_00 | 0)),
      values.set(v128.constBytes(Array.from(table, (value) => value + 128))),
      lowest.set(v128.constF32(-128)),
      ...powers.map((power, index) => power.set(v128.constF32(factors[index] ?? 0))),
    ),
    nearest: (value) =>
      sequence(
        number.set(value),
        f32x4.add(f32x4.convert(i8x16.relaxedSwizzle(values.get, v128.or(code, high.get))), lowest.get),
      ),
    exact: (value) =>
      sequence(
        number.set(value),
        middlesOf(table).reduce(
          (sum, middle, code) =>
            f32x4.add(
              sum,
              v128.and(f32x4.gt(number.get, v128.constF32(middle)), v128.constF32(table[code + 1]! - table[code]!)),
            ),
          v128.constF32(table[0] ?? 0),
        ),
      ),
  };
}

const degree = 5;

/** Of this degree, with the least squared error where the code changes: half way between two values. Lowest power first. */
function polynomialOf(table: Int8Array): number[] {
  const size = degree + 1;
  const rows = Array.from({ length: size }, () => new Float64Array(size + 1));
  middlesOf(table).forEach((middle, code) => {
    rows.forEach((row, i) => {
      for (let j = 0; j < size; j++) row[j]! += (middle / 128) ** (i + j);
      row[size]! += (middle / 128) ** i * (code + 0.5);
    });
  });
  rows.forEach((pivot, i) => {
    for (const row of rows) {
      const times = row === pivot ? 0 : row[i]! / pivot[i]!;
      for (let j = 0; j <= size; j++) row[j]! -= times * pivot[j]!;
    }
  });
  return rows.map((row, i) => row[size]! / row[i]! / 128 ** i);
}

/** How many of the middles lie below a number: its code, in each lane an integer. */
export function tableCode(scope: Scope, table: Int8Array): (value: Code) => Code {
  const number = scope.local("v128");
  return (value) =>
    sequence(
      number.set(value),
      middlesOf(table).reduce(
        (sum, middle) => i32x4.sub(sum, f32x4.gt(number.get, v128.constF32(middle))),
        i32x4.splat(i32.const(0)),
      ),
    );
}

/** The numbers at which the nearest value changes. */
function middlesOf(table: Int8Array): number[] {
  return Array.from(table.subarray(1), (value, index) => (value + (table[index] ?? 0)) / 2);
}
