/** Matrix stages of steps with many rows: weights are widened to float32 beside the worker's other scratch, then used. */
import { wideGroups, wideMatmul, wideMatmulName, widenName, widenWeights } from "../kernels/wasm/matmul-wide.ts";
import { rowGroup, rowGroupBytes } from "../weights/layout.ts";
import type { PlacedMatrix, Plan } from "./plan.ts";
import type { Kernel, Kernels, KernelWriters } from "./runner.ts";

/** Rows from which on it pays. */
export const leastWideRows = 32;

type Shape = Pick<PlacedMatrix, "layout" | "k">;

export interface Wide {
  /** Pairs of row groups that the scratch has room for. */
  readonly most: number;
  readonly widen: Kernel;
  /** By rows of activations, from 1 on. */
  readonly kernels: readonly Kernel[];
}

function roomFor({ layout, k }: Shape, { wide, scratchBytes }: Plan): number {
  return wide && layout.kind === "float" ? Math.floor(scratchBytes / (wideGroups * k * rowGroup * 4)) : 0;
}

export function wideWriters(shape: Shape, plan: Plan): KernelWriters {
  const { layout, k } = shape;
  if (layout.kind !== "float" || roomFor(shape, plan) === 0) return [];
  const sizes = [1, 2, 3, 4].map((tokens) => ({ k, tokens }));
  return [
    [widenName(layout), () => widenWeights(layout)],
    ...sizes.map((size) => [wideMatmulName(size), () => wideMatmul(size)] as const),
  ];
}

/** Undefined where the matrix is not computed in this way. */
export function findWide(shape: Shape, plan: Plan, kernels: Kernels): Wide | undefined {
  const { layout, k } = shape;
  const most = roomFor(shape, plan);
  if (layout.kind !== "float" || most === 0) return undefined;
  const find = (name: string): Kernel => {
    const kernel = kernels[name];
    if (!kernel) throw new Error(`no kernel ${name}`);
    return kernel;
  };
  const own = [1, 2, 3, 4].map((tokens) => find(wideMatmulName({ k, tokens })));
  return { most, widen: find(widenName(layout)), kernels: own };
}

export interface WideWork extends Shape {
  readonly scratch: number;
  /** First row group, and how many: whole pairs. */
  readonly w: number;
  readonly groups: number;
  readonly x: number;
  readonly xStride: number;
  readonly y: number;
  readonly yStride: number;
  readonly rows: number;
}

export function runWide({ most, widen, kernels }: Wide, work: WideWork): void {
  const { layout, k, scratch, w, groups, x, xStride, y, yStride, rows } = work;
  const pairs = groups / wideGroups;
  for (let first = 0; first < pairs; first += most) {
    const count = Math.min(most, pairs - first);
    widen(w + first * wideGroups * rowGroupBytes(layout, k), scratch, count * wideGroups * rowGroup * k);
    const to = y + first * wideGroups * rowGroup * 4;
    for (let row = 0; row < rows; row += 4) {
      const tokens = Math.min(4, rows - row);
      kernels[tokens - 1]?.(scratch, x + row * xStride, to + row * yStride, yStride, count);
    }
  }
}
