/** What enters the matrices, summed up: Xᵀ · X, once for all that the same value enters. */
import type { Pool } from "./pool.ts";
import type { Piece } from "./work.ts";

export interface Gram {
  /** [k][k], divided by the tokens. */
  readonly products: Float32Array;
  readonly k: number;
}

/** Rows of a piece: few, since those at the end of the matrix are short. */
const pieceRows = 96;

export async function gramOf(x: Float32Array, k: number, pool: Pool): Promise<Gram> {
  const products = pool.arena.floats(k * k);
  const pieces: Piece[] = [];
  for (let first = 0; first < k; first += pieceRows) {
    pieces.push({ kind: "gram", x, k, gram: products, first, count: Math.min(pieceRows, k - first) });
  }
  await pool.run(pieces);
  const tokens = x.length / k;
  for (let i = 0; i < products.length; i++) products[i]! /= tokens;
  return { products, k };
}

/** The mean of what a column has, without its sign. */
export function meanSizes(x: Float32Array, k: number): Float64Array {
  const sums = new Float64Array(k);
  for (let start = 0; start < x.length; start += k) {
    for (let i = 0; i < k; i++) sums[i]! += Math.abs(x[start + i]!);
  }
  return sums.map((sum) => (sum * k) / x.length);
}
