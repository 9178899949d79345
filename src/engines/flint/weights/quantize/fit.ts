import { furthest } from "./code.ts";

/** weight ≈ scale · code − min. */
export interface Fit {
  readonly scale: number;
  readonly min: number;
}

const zero: Fit = { scale: 0, min: 0 };

/**
 * The scale and the min (not negative) with the least squared error for codes from 0 to `last`. Tries scales around the
 * one that spans the range, and for the codes that each gives solves for scale and min.
 */
export function fitWithMin(weights: Float32Array, from: number, count: number, last: number): Fit {
  let lowest = 0;
  let highest = -Infinity;
  for (let i = from; i < from + count; i++) {
    lowest = Math.min(lowest, weights[i]!);
    highest = Math.max(highest, weights[i]!);
  }
  if (highest <= lowest) return { scale: 0, min: -lowest };
  const group = weights.subarray(from, from + count);
  let best = zero;
  let least = Infinity;
  for (let step = -10; step <= 10; step++) {
    const inverse = (last + step / 10) / (highest - lowest);
    const sums = sumCodes(group, { inverse, lowest, last });
    const fit = solve(sums);
    const error = excess(fit, sums);
    if (error < least) {
      least = error;
      best = fit;
    }
  }
  return best;
}

interface Spacing {
  readonly inverse: number;
  readonly lowest: number;
  readonly last: number;
}

/** Gives each weight the nearest code. The sums are locals, which makes them registers. */
function sumCodes(group: Float32Array, { inverse, lowest, last }: Spacing): Sums {
  let codes = 0;
  let squares = 0;
  let total = 0;
  let products = 0;
  for (let i = 0; i < group.length; i++) {
    const weight = group[i]!;
    // Never below zero, so that cutting off the fraction rounds.
    const code = Math.min(last, ((weight - lowest) * inverse + 0.5) | 0);
    codes += code;
    squares += code * code;
    total += weight;
    products += weight * code;
  }
  return { codes, squares, weights: total, products, count: group.length };
}

/** Sums over the weights of a group and their codes. */
interface Sums {
  readonly codes: number;
  readonly squares: number;
  readonly weights: number;
  readonly products: number;
  readonly count: number;
}

/** Least squares for a line; through the origin where its min would be negative or all codes are the same. */
function solve({ codes, squares, weights, products, count }: Sums): Fit {
  const determinant = count * squares - codes * codes;
  if (squares === 0) return zero;
  const min = determinant > 0 ? (codes * products - squares * weights) / determinant : 0;
  if (min <= 0) return { scale: products / squares, min: 0 };
  return { scale: (count * products - weights * codes) / determinant, min };
}

/** The squared error of a fit, less the sum of the squared weights, which all fits have in common. */
function excess({ scale, min }: Fit, { codes, squares, weights, products, count }: Sums): number {
  return scale * scale * squares + count * min * min - 2 * (scale * min * codes + scale * products - min * weights);
}

/** The scale, of either sign, with the least squared error for values from −half to half − 1. */
export function fitSymmetric(weights: Float32Array, from: number, count: number, half: number): number {
  const extreme = furthest(weights, from, count);
  let best = 0;
  let most = 0;
  if (extreme === 0) return best;
  for (let step = -9; step <= 9; step += 2) {
    const inverse = -(half + step / 10) / extreme;
    let squares = 0;
    let products = 0;
    for (let i = from; i < from + count; i++) {
      const value = Math.max(-half, Math.min(half - 1, Math.floor(weights[i]! * inverse + 0.5)));
      squares += value * value;
      products += weights[i]! * value;
    }
    // With the best scale for these values the error falls by this much.
    const gain = (products * products) / squares;
    if (squares > 0 && gain > most) {
      most = gain;
      best = products / squares;
    }
  }
  return best;
}
