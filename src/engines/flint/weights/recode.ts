/**
 * Tables that need no look-up. A type that names its values by a table often takes them from a small family: numbers at
 * equal distances, or those of the 2-bit grids (±8, ±25, ±43). Codes are then renamed when they are packed, so that a
 * kernel gets the value by arithmetic alone.
 */

export interface Recoding {
  /** Old code → new code, both four bits. */
  readonly codes: readonly number[];
  /** value = factor · (what the kernel makes of the new code - offset) */
  readonly factor: number;
  readonly offset: number;
  /** `grid2`: the kernel makes 136 · (code & 7) + (code & 8) of a code. Absent: the code itself. */
  readonly planes?: "grid2";
}

/** How the kernel reads a code of the planes `grid2`: 17 n + b, eight times as much; it takes an eighth of the scale. */
export function grid2Value(code: number): number {
  return 136 * (code & 7) + (code & 8);
}

export function recode(table: ArrayLike<number>): Recoding | undefined {
  const values = Array.from(table);
  return equalDistances(values) ?? grid2(values);
}

/** Codes that occur: tables of magnitude and sign leave out what has no magnitude. */
function isUsed(values: readonly number[], code: number): boolean {
  const sparse = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].every((index) => values[index] === 0);
  return !sparse || (code & 7) < 3;
}

function equalDistances(values: readonly number[]): Recoding | undefined {
  const used = values.filter((_, code) => isUsed(values, code));
  const least = Math.min(...used);
  const factor = used.reduce((divisor, value) => greatestDivisor(divisor, value - least), 0) || 1;
  if ((Math.max(...used) - least) / factor > 15) return undefined;
  const codes = values.map((value, code) => (isUsed(values, code) ? (value - least) / factor : 0));
  return { codes, factor, offset: -least / factor };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** -43, -25, -8, 8, 25 and 43 are 17 n + b - 43 with n from 0 to 5 and b of 0 or 1. */
function grid2(values: readonly number[]): Recoding | undefined {
  const names = new Map([0, 1 | 8, 2 | 8, 3, 4, 5 | 8].map((code) => [grid2Value(code) / 8 - 43, code]));
  const codes = values.map((value, code) => (isUsed(values, code) ? names.get(value) : 0));
  if (codes.some((code) => code === undefined)) return undefined;
  return { codes: codes.map((code) => code ?? 0), factor: 1, offset: 43 * 8, planes: "grid2" };
}
