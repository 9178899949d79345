/**
 * Groups the recorded operations into stages. The workers meet after each stage and nowhere else, so a stage holds what
 * can run side by side: matrices that do not read each other, or a chain of operations that treat each row by itself.
 */
import type { AttendOp, CrossOp, MatmulOp, Op, RouteOp, RowOp, RowSpace, ValueInfo } from "./program.ts";

export type Stage = (
  | { readonly kind: "rows"; readonly rows: RowSpace; readonly ops: readonly RowOp[] }
  | { readonly kind: "matmul"; readonly rows: RowSpace; readonly ops: readonly MatmulOp[] }
  | { readonly kind: "attend"; readonly op: AttendOp }
  | { readonly kind: "route"; readonly rows: RowSpace; readonly op: RouteOp }
  | { readonly kind: "transfer"; readonly value: number; readonly from: number }
) & {
  /** The memory that it works in. */
  readonly bank: number;
};

/** `bankOf`: the bank that an operation must run in, if it matters. */
export function toStages(
  ops: readonly Op[],
  values: readonly ValueInfo[],
  bankOf: (op: Op) => number | undefined = () => 0,
): Stage[] {
  const stages: Stage[] = [];
  const rowsOf = (id: number): RowSpace => values[id]?.rows ?? "all";
  for (const op of ops) {
    const last = stages.at(-1);
    const bank = bankOf(op) ?? last?.bank ?? 0;
    switch (op.kind) {
      case "attend":
        stages.push({ kind: "attend", op, bank });
        break;
      case "route":
        stages.push({ kind: "route", rows: rowsOf(op.scores), op, bank });
        break;
      case "matmul": {
        const index = stageFor(stages, op, { rows: rowsOf(op.out), bank });
        const stage = stages[index];
        if (stage?.kind === "matmul") stages[index] = { ...stage, ops: [...stage.ops, op] };
        else stages.push({ kind: "matmul", rows: rowsOf(op.out), ops: [op], bank });
        break;
      }
      default:
        // What takes rows from another space reads rows that other workers wrote: it starts a stage of its own.
        if (last?.kind === "rows" && last.bank === bank && last.rows === rowsOf(op.out) && !crosses(op)) {
          stages[stages.length - 1] = { ...last, ops: [...last.ops, op] };
        } else stages.push({ kind: "rows", rows: rowsOf(op.out), ops: [op], bank });
    }
  }
  return stages;
}

/** The stage of matrices that a further one can join: nothing from there on writes what it reads. -1: none. */
function stageFor(
  stages: readonly Stage[],
  op: MatmulOp,
  { rows, bank }: { readonly rows: RowSpace; readonly bank: number },
): number {
  for (let index = stages.length - 1; index >= 0; index--) {
    const stage = stages[index];
    if (!stage || (stage.kind !== "rows" && stage.kind !== "matmul")) return -1;
    if (opsOf(stage).some((other) => outputOf(other) === op.x)) return -1;
    if (stage.kind === "matmul") return stage.rows === rows && stage.bank === bank ? index : -1;
  }
  return -1;
}

const crossing: ReadonlySet<string> = new Set<CrossOp["kind"]>([
  "mean-rows",
  "take-outputs",
  "take-slots",
  "mix-slots",
  "join-rows",
  "average-rows",
]);

export function crosses(op: RowOp): op is CrossOp {
  return crossing.has(op.kind);
}

/** Ids of the values that an operation reads. */
export function inputsOf(op: Op): number[] {
  switch (op.kind) {
    case "embed":
    case "input":
      return [];
    case "add":
      return [op.a, op.b];
    case "gated":
      return [op.gate, op.up];
    case "rotate-store":
      return [op.q, op.k, op.v];
    case "attend":
      return [op.q];
    case "route":
      return [op.scores];
    case "observe-turn":
      return [op.x, op.before];
    case "adapt":
      return [op.x, ...op.parts.map(({ low }) => low)];
    default:
      return [op.x];
  }
}

export function outputOf(op: Op): number | undefined {
  return op.kind === "route" ? undefined : op.out;
}

export function opsOf(stage: Stage): readonly Op[] {
  switch (stage.kind) {
    case "rows":
    case "matmul":
      return stage.ops;
    case "transfer":
      return [];
    case "attend":
    case "route":
      return [stage.op];
  }
}
