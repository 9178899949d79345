/** How much the columns of matrices are scaled before they are rounded. */
import type { Pool } from "./pool.ts";
import { rowsFor } from "./rounding.ts";
import type { Grid, Piece } from "./work.ts";
import { cut } from "./work.ts";

export interface ScalingSearch {
  readonly matrices: readonly { readonly weights: Float32Array; readonly n: number }[];
  readonly k: number;
  readonly grid: Grid;
  /** The Gram matrix of what enters. */
  readonly products: Float32Array;
  /** Mean size of each column of it. */
  readonly sizes: Float64Array;
}

/** Exponents of the sizes, from 0 up. */
const ratios = 10;

/**
 * The scaling whose rounded weights have the least error in the output: powers of the sizes of activations, alone and against
 * those of the weights. Undefined: none is better than none.
 */
export async function searchScaling(search: ScalingSearch, pool: Pool): Promise<Float32Array | undefined> {
  const { matrices, k, grid, products: gram } = search;
  const scalings = candidates(search, pool);
  const trials = scalings.length / k;
  const totals = new Float64Array(trials);
  const pieces: Piece[] = [];
  const results = matrices.map(({ weights, n }) => {
    const errors = new Float64Array(new SharedArrayBuffer(n * trials * 8));
    for (const range of cut(n, rowsFor(n, pool.threads))) {
      pieces.push({ kind: "trial", weights, k, grid, gram, scalings, errors, ...range });
    }
    return errors;
  });
  await pool.run(pieces);
  for (const errors of results) for (let i = 0; i < errors.length; i++) totals[i % trials]! += errors[i]!;
  const best = totals.indexOf(Math.min(...totals));
  const chosen = best <= 0 ? undefined : Float32Array.from(scalings.subarray(best * k, (best + 1) * k));
  pool.arena.release(scalings);
  return chosen;
}

/** [trials][k]; the first one is all 1. */
function candidates({ matrices, k, grid, sizes }: ScalingSearch, { arena }: Pool): Float32Array {
  const columns = columnSizes(matrices, k, grid);
  const scalings = arena.floats((2 * ratios - 1) * k);
  for (let trial = 0; trial < 2 * ratios - 1; trial++) {
    const against = trial >= ratios;
    const ratio = (against ? trial - ratios + 1 : trial) / ratios;
    let [least, most] = [Infinity, 0];
    const scaling = scalings.subarray(trial * k, (trial + 1) * k);
    for (let i = 0; i < k; i++) {
      const size = Math.max(sizes[i]!, 1e-8) ** ratio / (against ? columns[i]! ** (1 - ratio) + 1e-4 : 1);
      scaling[i] = Math.max(1e-4, size);
      least = Math.min(least, scaling[i]!);
      most = Math.max(most, scaling[i]!);
    }
    // Around 1, so that neither side leaves the range of f16.
    const middle = Math.sqrt(least * most);
    for (let i = 0; i < k; i++) scaling[i]! /= middle;
  }
  return scalings;
}

/** Mean size of the weights of each column, relative to the largest of their group. */
function columnSizes(matrices: ScalingSearch["matrices"], k: number, { group }: Grid): Float64Array {
  const sums = new Float64Array(k);
  let rows = 0;
  for (const { weights, n } of matrices) {
    rows += n;
    for (let start = 0; start < weights.length; start += k) {
      for (let first = 0; first < k; first += group) {
        const end = Math.min(k, first + group);
        let most = 1e-6;
        for (let i = first; i < end; i++) most = Math.max(most, Math.abs(weights[start + i]!));
        for (let i = first; i < end; i++) sums[i]! += Math.abs(weights[start + i]!) / most;
      }
    }
  }
  return sums.map((sum) => sum / rows);
}
