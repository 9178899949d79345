/** What enters the matrices, summed up: Xᵀ · X, once for all that the same value enters. */
import type { Pool } from "./pool.ts";
import type { Piece } from "./work.ts";

export interface Gram {
  /** [k][k], divided by the tokens. */
  readonly products: Float32Array;
  readonly k: number;
  /** Mean of the columns without their sign. */
  readonly sizes: Float64Array;
}

/** Rows of a piece: few, since those at the end of the matrix are short. */
const pieceRows = 96;

export async function gramOf(x: Float32Array, k: number, pool: Pool): Promise<Gram> {
  const products = pool.arena.floats(k * k);
  const factors = tokenFactors(x, k, pool);
  const pieces: Piece[] = [];
  for (let first = 0; first < k; first += pieceRows) {
    pieces.push({ kind: "gram", x, k, factors, gram: products, first, count: Math.min(pieceRows, k - first) });
  }
  await pool.run(pieces);
  const tokens = x.length / k;
  for (let i = 0; i < products.length; i++) products[i]! /= tokens;
  const sizes = meanSizes(x, factors);
  pool.arena.release(factors);
  return { products, k, sizes };
}

/** Times the median of the squared length. */
const mostSquare = 25;

/**
 * What tokens are multiplied with: 1, less for those that are much longer than the others. In some layers the first token of
 * a text is a thousand times as long (arXiv 2402.17762): alone it would say what the matrix is fitted to.
 */
function tokenFactors(x: Float32Array, k: number, { arena }: Pool): Float32Array {
  const squares = new Float64Array(x.length / k);
  for (let token = 0, at = 0; token < squares.length; token++) {
    let sum = 0;
    for (const end = at + k; at < end; at++) sum += x[at]! ** 2;
    squares[token] = sum;
  }
  const limit = mostSquare * (squares.toSorted()[squares.length >> 1] ?? 0);
  const factors = arena.floats(squares.length);
  for (const [token, square] of squares.entries()) factors[token] = square > limit ? Math.sqrt(limit / square) : 1;
  return factors;
}

function meanSizes(x: Float32Array, factors: Float32Array): Float64Array {
  const k = x.length / factors.length;
  const sums = new Float64Array(k);
  for (const [token, factor] of factors.entries()) {
    for (let i = 0; i < k; i++) sums[i]! += Math.abs(x[token * k + i]!) * factor;
  }
  return sums.map((sum) => sum / factors.length);
}
