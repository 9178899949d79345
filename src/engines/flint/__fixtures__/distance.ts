import { expect } from "vitest";

type Rows = readonly ArrayLike<number>[];

/** Largest distance, relative to the largest expected value. Infinite where a value is missing or no number. */
export function distance(rows: Rows, expected: Rows): number {
  expect(rows.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  let apart = 0;
  let largest = 0;
  expected.forEach((row, index) => {
    for (let at = 0; at < row.length; at++) {
      const difference = Math.abs((rows[index]?.[at] ?? NaN) - (row[at] ?? NaN));
      apart = Math.max(apart, Number.isNaN(difference) ? Infinity : difference);
      largest = Math.max(largest, Math.abs(row[at] ?? 0));
    }
  });
  return apart / largest;
}

/** Index of the highest value, the first of equal ones. */
export function highest(row: ArrayLike<number> | undefined): number {
  let best = -1;
  const values = row ?? [];
  for (let at = 0; at < values.length; at++) if (best < 0 || (values[at] ?? NaN) > (values[best] ?? NaN)) best = at;
  return best;
}
