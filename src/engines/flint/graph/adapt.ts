/** Adds to the rows of a product what the adapters of their requests add: scale · factor · B (A x), A x being there already. */
import { addScaled, copy } from "../kernels/wasm/elementwise.ts";
import { floatMatmul, floatMatmulName } from "../kernels/wasm/matmul-float.ts";
import type { FloatMatmulShape } from "../kernels/wasm/matmul-float.ts";
import { rowGroup, rowGroupBytes } from "../weights/layout.ts";
import type { Counts } from "./counts.ts";
import type { Matrix } from "./graph.ts";
import type { KernelWriters } from "./runner.ts";
import type { Kernel } from "./runner.ts";
import type { PlacedMatrix, Plan } from "./plan.ts";
import type { AdaptPart, RowOp, RowSpace } from "./program.ts";
import type { RowContext, RunRow } from "./rows.ts";

type AdaptOp = Extract<RowOp, { kind: "adapt" }>;

/** Row groups that are computed at once: their sums stay in the first cache. */
const chunkGroups = 512;

export function adaptWriters({ parts }: AdaptOp, plan: Plan): KernelWriters {
  const products = parts.map(({ b }) => shapeOf(b, plan));
  return [
    ["copy", copy],
    ["add-scaled", addScaled],
    ...products.map((shape) => [floatMatmulName(shape), () => floatMatmul(shape)] as const),
  ];
}

function shapeOf({ name }: Matrix, { matrices }: Plan): FloatMatmulShape {
  const matrix = matrices[name];
  if (matrix?.layout.kind !== "float") throw new Error(`no place for ${name}`);
  return { layout: matrix.layout, k: matrix.k, tokens: 1 };
}

export function adaptRow(op: AdaptOp, context: RowContext): RunRow {
  const { plan, memory, kernels } = context;
  const floats = new Float32Array(memory.buffer);
  const x = plan.values[op.x];
  const out = plan.values[op.out];
  const copyRow = kernels["copy"];
  if (!x || !out || !copyRow) throw new Error("an adapter without a place");
  const scales = plan.step.adapterScales / 4;
  const parts = op.parts.map((part) => ({ ...part, add: createAdd(part, context) }));
  return (row, counts) => {
    const to = out.address + row * out.stride;
    copyRow(x.address + row * x.stride, to, out.width);
    const first = scales + tokenRow(row, out.rows, counts) * plan.adapters.length;
    for (const { adapter, factor, add } of parts) {
      const scale = floats[first + adapter] ?? 0;
      if (scale !== 0) add({ row, to, scale: scale * factor }, counts);
    }
  };
}

interface Target {
  readonly row: number;
  readonly to: number;
  readonly scale: number;
}

function createAdd({ b, low }: AdaptPart, context: RowContext): (target: Target, counts: Counts) => void {
  const { plan, kernels, scratch } = context;
  const find = (name: string): Kernel => {
    const kernel = kernels[name];
    if (!kernel) throw new Error(`no kernel ${name}`);
    return kernel;
  };
  const product = find(floatMatmulName(shapeOf(b, plan)));
  const addScaledRow = find("add-scaled");
  const matrix = plan.matrices[b.name];
  const value = plan.values[low];
  if (!matrix || !value) throw new Error(`no place for ${b.name}`);
  const groupBytes = rowGroupBytes(matrix.layout, matrix.k);
  const start = matrix.address + ((b.row ?? 0) / rowGroup) * groupBytes;
  const groups = Math.ceil(b.n / rowGroup);
  return ({ row, to, scale }, counts) => {
    const from = value.address + row * value.stride;
    const weights = start + expertOf(row, matrix, counts) * matrix.expertBytes;
    for (let group = 0; group < groups; group += chunkGroups) {
      const done = group * rowGroup;
      product(weights + group * groupBytes, from, scratch, 0, Math.min(chunkGroups, groups - group));
      addScaledRow(scratch, scale, to + done * 4, Math.min(chunkGroups * rowGroup, b.n - done));
    }
  };
}

/** Row of the step that a row of a value belongs to. */
function tokenRow(row: number, space: RowSpace, counts: Counts): number {
  switch (space) {
    case "all":
      return row;
    case "outputs":
      return counts.output(row);
    case "slots":
      return counts.slotRow(row);
    case "outputSlots":
      return counts.output(counts.slotRow(row));
  }
}

/** Slots are sorted by expert. */
function expertOf(slot: number, { experts }: PlacedMatrix, counts: Counts): number {
  let expert = 0;
  while (expert < experts - 1 && counts.expertStart(expert + 1) <= slot) expert++;
  return expert;
}
