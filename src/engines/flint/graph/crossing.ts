/** Operations whose rows are made from rows of another space: they read what other workers wrote. */
import type { Counts } from "./counts.ts";
import type { Plan } from "./plan.ts";
import type { CrossOp } from "./program.ts";
import type { FindKernel, Place, RowContext, RunRow } from "./rows.ts";

interface CrossParts {
  readonly context: RowContext;
  readonly kernel: FindKernel;
  readonly x: Place;
  readonly to: Place;
}

export function crossRow(op: CrossOp, parts: CrossParts): RunRow {
  switch (op.kind) {
    case "take-outputs":
      return takeRow(op, parts, (row, counts) => counts.output(row));
    case "take-slots":
      return takeRow(op, parts, (slot, counts) => counts.slotRow(slot));
    case "mix-slots":
      return mixRow(op, parts);
    case "mean-rows":
      return meanRow(op, parts);
    case "join-rows":
      return joinRow(op, parts);
    case "average-rows":
      return averageRow(op, parts);
  }
}

function widthOf({ values }: Plan, id: number): number {
  const value = values[id];
  if (!value) throw new RangeError(`no value ${id}`);
  return value.width;
}

/** A row as it is. */
function takeRow(
  op: CrossOp,
  { context, kernel, x, to }: CrossParts,
  rowOf: (row: number, counts: Counts) => number,
): RunRow {
  const copyRow = kernel("copy");
  const width = widthOf(context.plan, op.out);
  return (row, counts) => copyRow(x(rowOf(row, counts)), to(row), width);
}

/** The weighted sum of what the chosen experts of a row gave. */
function mixRow(op: Extract<CrossOp, { kind: "mix-slots" }>, { context, kernel, x, to }: CrossParts): RunRow {
  const { plan, memory } = context;
  const floats = new Float32Array(memory.buffer);
  const width = widthOf(plan, op.out);
  const add = kernel("add-scaled");
  return (row, counts) => {
    const target = to(row);
    floats.fill(0, target / 4, target / 4 + width);
    for (let choice = 0; choice < op.used; choice++) {
      const weight = floats[plan.step.slotWeights / 4 + row * op.used + choice] ?? 0;
      add(x(counts.slotOf(row, choice)), weight, target, width);
    }
  };
}

function meanRow(op: Extract<CrossOp, { kind: "mean-rows" }>, { context, kernel, x, to }: CrossParts): RunRow {
  const floats = new Float32Array(context.memory.buffer);
  const width = widthOf(context.plan, op.out);
  const add = kernel("add-scaled");
  return (index, counts) => {
    const target = to(index);
    floats.fill(0, target / 4, target / 4 + width);
    const { first, rows } = counts.run(index);
    for (let row = first; row < first + rows; row++) add(x(row), 1 / rows, target, width);
  };
}

/** The rows that one is made of stand side by side. */
function joinRow(op: Extract<CrossOp, { kind: "join-rows" }>, { context, kernel, x, to }: CrossParts): RunRow {
  const width = widthOf(context.plan, op.x);
  const copyRow = kernel("copy");
  return (row) => {
    for (let index = 0; index < op.count; index++)
      copyRow(x(row * op.count + index), to(row) + index * width * 4, width);
  };
}

function averageRow(op: Extract<CrossOp, { kind: "average-rows" }>, { context, kernel, x, to }: CrossParts): RunRow {
  const floats = new Float32Array(context.memory.buffer);
  const width = widthOf(context.plan, op.out);
  const add = kernel("add-scaled");
  return (row) => {
    const target = to(row);
    floats.fill(0, target / 4, target / 4 + width);
    for (let index = 0; index < op.count; index++) add(x(row * op.count + index), 1 / op.count, target, width);
  };
}
