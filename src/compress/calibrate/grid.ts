/** The numbers that codes of a few bits stand for: scale · (code - zero point). */
import { floatToHalf, halves } from "../../util/half.ts";
import type { Grid } from "./work.ts";

/** The size of a group that is longer than any row. */
export const wholeRow: number = 2 ** 30;

export interface Steps {
  /** A number that f16 can hold. */
  readonly scale: number;
  readonly zero: number;
}

export function groupsOf(k: number, { group }: Pick<Grid, "group">): number {
  return Math.ceil(k / group);
}

/** Steps with which the least and the largest weight are on the grid. */
export function stepsFor(least: number, most: number, { bits, symmetric }: Grid): Steps {
  const last = 2 ** bits - 1;
  if (symmetric) {
    return { scale: half((2 * Math.max(Math.abs(least), Math.abs(most))) / last), zero: 2 ** (bits - 1) };
  }
  const low = Math.min(0, least);
  const scale = half((Math.max(0, most) - low) / last);
  return { scale, zero: Math.min(last, Math.max(0, Math.round(-low / scale))) };
}

/** The least positive one for 0, so that nothing is divided by it. */
function half(scale: number): number {
  return halves[Math.max(1, floatToHalf(scale))]!;
}

/** Those of a row's columns from `start` on. */
export function rangeSteps(weights: Float32Array, start: number, end: number, grid: Grid): Steps {
  let [least, most] = [Infinity, -Infinity];
  for (let i = start; i < end; i++) {
    const weight = weights[i]!;
    if (weight < least) least = weight;
    if (weight > most) most = weight;
  }
  return stepsFor(least, most, grid);
}

/** The nearest code. */
export function codeOf(weight: number, { scale, zero }: Steps, last: number): number {
  const code = Math.round(weight / scale) + zero;
  return code < 0 ? 0 : code > last ? last : code;
}
