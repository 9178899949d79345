/** A matrix on its grid, all rows, in all threads. */
import type { Pool } from "./pool.ts";
import type { Coded, Compensation, Grid } from "./work.ts";
import { cut } from "./work.ts";
import { groupsOf } from "./grid.ts";

export interface Rounding {
  readonly weights: Float32Array;
  readonly n: number;
  readonly k: number;
  readonly grid: Grid;
  readonly compensation?: Compensation | undefined;
}

/** All arrays of the result are from the arena. */
export async function roundMatrix({ weights, n, k, grid, compensation }: Rounding, pool: Pool): Promise<Coded> {
  const groups = groupsOf(k, grid);
  const coded: Coded = {
    codes: pool.arena.bytes(n * k),
    scales: pool.arena.floats(n * groups),
    zeros: pool.arena.bytes(n * groups),
    rounded: pool.arena.floats(n * k),
  };
  const rows = rowsFor(n, pool.threads);
  await pool.run(cut(n, rows).map((range) => ({ kind: "round", weights, k, grid, coded, compensation, ...range })));
  return coded;
}

/** Many rows share what is read for them, but every thread is to have some. */
export function rowsFor(n: number, threads: number): number {
  return Math.max(16, Math.min(128, Math.ceil(n / threads / 16) * 16));
}
