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

/** Part of a row of weights. */
export interface Part {
  readonly weights: Float32Array;
  readonly start: number;
  readonly end: number;
}

/** With all weights of the part on the grid. */
export function rangeSteps({ weights, start, end }: Part, grid: Grid): Steps {
  const { least, most } = rangeOf({ weights, start, end });
  return stepsFor(least, most, grid);
}

function rangeOf({ weights, start, end }: Part): { readonly least: number; readonly most: number } {
  let [least, most] = [Infinity, -Infinity];
  for (let i = start; i < end; i++) {
    const weight = weights[i]!;
    if (weight < least) least = weight;
    if (weight > most) most = weight;
  }
  return { least, most };
}

/** How often the range is made smaller, by a twentieth of it each time. */
const shrinks = 9;

/** With the least error, `importance` counting that of each weight: the largest ones may be beyond the grid. */
export function nearestSteps(part: Part, grid: Grid, importance: Float32Array): Steps {
  const { weights, start, end } = part;
  const { least, most } = rangeOf(part);
  const last = 2 ** grid.bits - 1;
  let best = stepsFor(least, most, grid);
  let smallest = Infinity;
  for (let shrink = 0; shrink < shrinks; shrink++) {
    const factor = 1 - shrink / 20;
    const steps = stepsFor(least * factor, most * factor, grid);
    let error = 0;
    for (let i = start; i < end && error < smallest; i++) {
      const weight = weights[i]!;
      const difference = weight - (codeOf(weight, steps, last) - steps.zero) * steps.scale;
      error += difference * difference * importance[i - start]!;
    }
    if (error >= smallest) continue;
    smallest = error;
    best = steps;
  }
  return best;
}

/** The nearest code. */
export function codeOf(weight: number, { scale, zero }: Steps, last: number): number {
  const code = Math.round(weight / scale) + zero;
  return code < 0 ? 0 : code > last ? last : code;
}
