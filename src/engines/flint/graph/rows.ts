/** Runs stages that treat every row by itself: a piece is some rows, taken through all operations of the stage. */
import { activate, gated } from "../kernels/wasm/activation.ts";
import { restOfRow } from "../kernels/wasm/activations.ts";
import { add, addBias, addScaled, copy, scale, softCap } from "../kernels/wasm/elementwise.ts";
import { gather } from "../kernels/wasm/gather.ts";
import type { NormShape } from "../kernels/wasm/norm.ts";
import { norm, normName } from "../kernels/wasm/norm.ts";
import type { RotateShape } from "../kernels/wasm/rope.ts";
import { rotate, rotateName } from "../kernels/wasm/rope.ts";
import type { StoreKeysShape, StoreValuesShape } from "../kernels/wasm/store.ts";
import { storeKeys, storeKeysName, storeValues, storeValuesName } from "../kernels/wasm/store.ts";
import { readRow } from "../weights/unpack.ts";
import type { PackedView } from "../weights/unpack.ts";
import { adaptRow, adaptWriters } from "./adapt.ts";
import { crossRow } from "./crossing.ts";
import { crosses } from "./stages.ts";
import type { Counts } from "./counts.ts";
import type { Matrix, Vector } from "./graph.ts";
import { observeRow, observeTurn } from "./observe.ts";
import type { KernelWriters } from "./runner.ts";
import type { Kernel, Kernels, StageRunner } from "./runner.ts";
import { blockTokens } from "./plan.ts";
import type { PlacedAttention, PlacedValue, Plan } from "./plan.ts";
import type { RowOp, RowSpace } from "./program.ts";

type NormOp = Extract<RowOp, { kind: "norm" }>;

export function rowKernels(plan: Plan): KernelWriters {
  return plan.stages.flatMap((stage) => (stage.kind === "rows" ? stage.ops.flatMap((op) => writersOf(op, plan)) : []));
}

function writersOf(op: RowOp, plan: Plan): KernelWriters {
  switch (op.kind) {
    case "norm": {
      const shape = normShape(op, valueOf(plan, op.x));
      return [[normName(shape), () => norm(shape)]];
    }
    case "bias":
      return [["add-bias", addBias]];
    case "gather":
      return [["gather", gather]];
    case "add":
    case "add-parts":
      return [["add", add]];
    case "quantize":
      return valueOf(plan, op.out).parts === 2 ? [["rest", restOfRow]] : [];
    case "embed":
    case "scale":
      return [["scale", scale]];
    case "soft-cap":
      return [["soft-cap", softCap]];
    case "gated":
      return [
        [`gated-${op.activation}`, () => gated(op.activation)],
        [`activate-${op.activation}`, () => activate(op.activation)],
        ["scale", scale],
      ];
    case "activate":
      return [[`activate-${op.activation}`, () => activate(op.activation)]];
    case "mix-slots":
    case "mean-rows":
    case "average-rows":
      return [["add-scaled", addScaled]];
    case "adapt":
      return adaptWriters(op, plan);
    case "rotate-store": {
      const { keys, queries, values } = cacheShapes(attentionOf(plan, op.attention), plan);
      return [
        [rotateName(queries), () => rotate(queries)],
        [storeKeysName(keys), () => storeKeys(keys)],
        [storeValuesName(values), () => storeValues(values)],
      ];
    }
    default:
      return [["copy", copy]];
  }
}

function normShape({ norm: kind, weight, bias, headWidth }: NormOp, { width }: PlacedValue): NormShape {
  const heads = headWidth ? width / headWidth : 1;
  const shared = heads > 1 && weight?.length === headWidth;
  return {
    kind,
    width: headWidth ?? width,
    ...(heads > 1 && !shared && { groups: heads }),
    weight: weight !== undefined,
    bias: bias !== undefined,
  };
}

function cacheShapes(attention: PlacedAttention, { ropes }: Plan) {
  const { heads, keyHeads, headWidth, valueWidth, keyType, valueType, rope } = attention;
  const placed = rope === undefined ? undefined : ropes[rope];
  const rotation = placed && { rope: { dimensions: placed.dimensions, pairing: placed.pairing } };
  const queries: RotateShape = { heads, headWidth, ...rotation };
  const keys: StoreKeysShape = { heads: keyHeads, headWidth, type: keyType, ...rotation };
  const values: StoreValuesShape = { keyHeads, width: valueWidth, type: valueType };
  return { queries, keys, values };
}

function valueOf(plan: Plan, id: number): PlacedValue {
  const value = plan.values[id];
  if (!value) throw new RangeError(`no value ${id}`);
  return value;
}

function attentionOf(plan: Plan, index: number): PlacedAttention {
  const attention = plan.attentions[index];
  if (!attention) throw new RangeError(`no attention ${index}`);
  return attention;
}

export interface RowContext {
  readonly plan: Plan;
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  readonly workers: number;
  /** Of this worker. */
  readonly scratch: number;
  readonly index: number;
}

/** Runs one operation on one row. */
export type RunRow = (row: number, counts: Counts) => void;

const piecesPerWorker = 4;

export function rowRunner(
  { ops, rows }: { readonly ops: readonly RowOp[]; readonly rows: RowSpace },
  context: RowContext,
): StageRunner {
  const runs = ops.map((op) => rowOperation(op, context));
  const most = context.workers * piecesPerWorker;
  return {
    pieces: (counts) => Math.min(counts.rows(rows), most),
    run(piece, counts) {
      const total = counts.rows(rows);
      const pieces = Math.min(total, most);
      const end = Math.floor((total * (piece + 1)) / pieces);
      for (let row = Math.floor((total * piece) / pieces); row < end; row++) for (const run of runs) run(row, counts);
    },
  };
}

function rowOperation(op: RowOp, context: RowContext): RunRow {
  const { plan, kernels } = context;
  const out = valueOf(plan, op.out);
  const at = (id: number): ((row: number) => number) => {
    const { address, stride } = valueOf(plan, id);
    return (row) => address + row * stride;
  };
  const to = at(op.out);
  const kernel = (name: string): Kernel => {
    const found = kernels[name];
    if (!found) throw new Error(`no kernel ${name}`);
    return found;
  };
  if (crosses(op)) return crossRow(op, { context, kernel, x: at(op.x), to });
  switch (op.kind) {
    case "embed":
      return embedRow(op, context);
    case "embed-position": {
      const read = tableReader(op.table, context);
      const x = at(op.x);
      return (row, counts) => read(counts.position(row), to(row), x(row));
    }
    case "embed-constant": {
      const read = tableReader(op.table, context);
      const x = at(op.x);
      return (row) => read(op.row, to(row), x(row));
    }
    case "norm":
      return normRow(op, { plan, kernel, x: at(op.x), to });
    case "quantize": {
      const run = kernel(op.form === "super" ? "quantize-super" : "quantize");
      const x = at(op.x);
      if (out.parts !== 2) return (row) => run(x(row), to(row), out.width);
      const rest = kernel("rest");
      const { scratch } = context;
      return (row) => {
        run(x(row), to(row), out.width);
        rest(x(row), to(row), scratch, out.width);
        run(scratch, to(row) + out.stride / 2, out.width);
      };
    }
    case "add-parts": {
      const run = kernel("add");
      const x = at(op.x);
      const half = valueOf(plan, op.x).stride / 2;
      return (row) => run(x(row), x(row) + half, to(row), out.width);
    }
    case "bias": {
      const run = kernel("add-bias");
      const bias = vectorAddress(plan, op.bias);
      const x = at(op.x);
      return (row) => run(x(row), bias, to(row), out.width, 1);
    }
    case "gather": {
      const run = kernel("gather");
      const columns = vectorAddress(plan, op.columns);
      const x = at(op.x);
      return (row) => run(x(row), columns, to(row), out.width);
    }
    case "add": {
      const run = kernel("add");
      const [a, b] = [at(op.a), at(op.b)];
      return (row) => run(a(row), b(row), to(row), out.width);
    }
    case "scale": {
      const run = kernel("scale");
      const x = at(op.x);
      return (row) => run(x(row), op.factor, to(row), out.width);
    }
    case "soft-cap": {
      const run = kernel("soft-cap");
      const x = at(op.x);
      return (row) => run(x(row), op.cap, to(row), out.width);
    }
    case "gated":
      return gatedRow(op, { context, kernel, gate: at(op.gate), up: at(op.up), to });
    case "activate": {
      const run = kernel(`activate-${op.activation}`);
      const x = at(op.x);
      return (row) => run(x(row), to(row), out.width);
    }
    case "input":
      return () => undefined;
    case "adapt":
      return adaptRow(op, context);
    case "observe":
      return observeRow(op, context);
    case "observe-turn":
      return observeTurn(op, context);
    case "rotate-store":
      return storeRow(op, { context, kernel, at, to });
  }
}

export type Place = (row: number) => number;
export type FindKernel = (name: string) => Kernel;

function vectorAddress({ vectors }: Plan, { name, start = 0 }: Vector): number {
  return (vectors[name]?.address ?? 0) + start * 4;
}

function normRow(op: NormOp, { plan, kernel, x, to }: { plan: Plan; kernel: FindKernel; x: Place; to: Place }): RunRow {
  const value = valueOf(plan, op.x);
  const shape = normShape(op, value);
  const run = kernel(normName(shape));
  const weight = op.weight ? vectorAddress(plan, op.weight) : 0;
  const bias = op.bias ? vectorAddress(plan, op.bias) : 0;
  const rows = value.width / (shape.width * (shape.groups ?? 1));
  return (row) => run(x(row), weight, bias, to(row), rows, op.epsilon);
}

/** Reads a row of a table of embeddings into memory, and adds another row to it where one is given. */
function tableReader(table: Matrix, { plan, memory }: RowContext): (index: number, to: number, plus?: number) => void {
  const matrix = plan.matrices[table.name];
  if (!matrix) throw new Error(`no place for ${table.name}`);
  const floats = new Float32Array(memory.buffer);
  const view: PackedView = {
    bytes: new Uint8Array(memory.buffer),
    shorts: new Uint16Array(memory.buffer),
    floats,
  };
  const values = new Float32Array(matrix.k);
  return (index, to, plus) => {
    readRow(view, { layout: matrix.layout, address: matrix.address, k: matrix.k, row: index }, values);
    if (plus !== undefined) for (let i = 0; i < values.length; i++) values[i]! += floats[plus / 4 + i]!;
    floats.set(values, to / 4);
  };
}

function embedRow(op: Extract<RowOp, { kind: "embed" }>, context: RowContext): RunRow {
  const read = tableReader(op.table, context);
  const { address, stride, width } = valueOf(context.plan, op.out);
  const scaleBy = context.kernels["scale"];
  return (row, counts) => {
    const to = address + row * stride;
    const token = counts.token(row);
    // The row of a picture: the leader has written it, and it is not scaled.
    if (token < 0) return;
    read(token, to);
    if (op.scale !== 1) scaleBy?.(to, op.scale, to, width);
  };
}

interface GatedParts {
  readonly context: RowContext;
  readonly kernel: FindKernel;
  readonly gate: Place;
  readonly up: Place;
  readonly to: Place;
}

function gatedRow(op: Extract<RowOp, { kind: "gated" }>, { context, kernel, gate, up, to }: GatedParts): RunRow {
  const { width } = valueOf(context.plan, op.up);
  if (valueOf(context.plan, op.gate).width === width) {
    const run = kernel(`gated-${op.activation}`);
    return (row) => run(gate(row), up(row), to(row), width);
  }
  // One gate for the whole row.
  const floats = new Float32Array(context.memory.buffer);
  const run = kernel(`activate-${op.activation}`);
  const scaleBy = kernel("scale");
  return (row) => {
    run(gate(row), context.scratch, 1);
    scaleBy(up(row), floats[context.scratch / 4] ?? 0, to(row), width);
  };
}

interface StoreParts {
  readonly context: RowContext;
  readonly kernel: FindKernel;
  readonly at: (id: number) => Place;
  readonly to: Place;
}

function storeRow(op: Extract<RowOp, { kind: "rotate-store" }>, { context, kernel, at, to }: StoreParts): RunRow {
  const { plan, scratch } = context;
  const attention = attentionOf(plan, op.attention);
  const shapes = cacheShapes(attention, plan);
  const rotateQueries = kernel(rotateName(shapes.queries));
  const keys = kernel(storeKeysName(shapes.keys));
  const values = kernel(storeValuesName(shapes.values));
  const rope = attention.rope === undefined ? undefined : plan.ropes[attention.rope];
  const [q, k, v] = [at(op.q), at(op.k), at(op.v)];
  const tableOffset = attention.group * plan.tableBlocks * 4;
  return (row, counts) => {
    const table = rope ? rope.table + row * rope.dimensions * 4 : 0;
    const position = counts.position(row);
    const block = counts.block(counts.table(row) + tableOffset, Math.floor(position / blockTokens));
    const slot = position % blockTokens;
    rotateQueries(q(row), table, to(row));
    keys(k(row), table, attention.keys + block * attention.keyBlockBytes, slot, scratch);
    values(v(row), attention.values + block * attention.valueBlockBytes, slot);
  };
}
