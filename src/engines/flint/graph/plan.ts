/** Where everything stands in memory, and which kernels are needed. Plain data for the compute workers. */
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { constantsEnd } from "../kernels/wasm/constants.ts";
import type { Layout } from "../weights/layout.ts";
import { matrixBytes } from "../weights/layout.ts";
import { layoutOf } from "../weights/pack.ts";
import { leastStagingBytes } from "../weights/staging.ts";
import type { RowCapacity } from "./buffers.ts";
import { planBuffers, rowBytes } from "./buffers.ts";
import type { Matrix, RopeOptions, Vector } from "./graph.ts";
import type { AttentionInfo, Recording, ValueInfo } from "./program.ts";
import { opsOf, toStages } from "./stages.ts";
import type { Stage } from "./stages.ts";

/** Tokens of a block of the KV cache. */
export const blockTokens = 32;

export interface PlacedMatrix {
  readonly name: string;
  readonly type: GgmlTypeName;
  readonly layout: Layout;
  readonly address: number;
  readonly k: number;
  /** Output rows, of one expert's matrix where there are several. */
  readonly n: number;
  readonly experts: number;
  /** Bytes of one expert's matrix. */
  readonly expertBytes: number;
}

export interface PlacedVector {
  readonly name: string;
  readonly type: GgmlTypeName;
  readonly address: number;
  readonly length: number;
}

export interface PlacedValue extends ValueInfo {
  readonly address: number;
  /** Bytes from row to row. */
  readonly stride: number;
}

export interface PlacedAttention extends AttentionInfo {
  readonly keys: number;
  readonly values: number;
  readonly keyBlockBytes: number;
  readonly valueBlockBytes: number;
}

export interface PlacedRope extends RopeOptions {
  /** For each row of the step `dimensions / 2` pairs of cosine and sine. */
  readonly table: number;
}

/** What the leader writes for each step: arrays of int32, one element a row unless said otherwise. */
export interface StepArea {
  /** rows, outputs, runs, largest expert count. */
  readonly counts: number;
  readonly tokens: number;
  readonly positions: number;
  /** Address of the block table of the row's sequence. */
  readonly tables: number;
  /** Tokens of the row's sequence, this step's included. */
  readonly lengths: number;
  /** Rows whose output was asked for. */
  readonly outputs: number;
  /** Pairs: first row and number of rows, of one sequence and consecutive positions. */
  readonly runs: number;
  /** Slots of experts: row of each slot, weight of each (row, choice), slot of each (row, choice), first slot of each expert. */
  readonly slotRows: number;
  readonly slotWeights: number;
  readonly slotOf: number;
  readonly expertStarts: number;
  /** Float32: the scales of the adapters for each row; 0: the row does without. */
  readonly adapterScales: number;
  /** For each adapter whether a row of the step uses it. */
  readonly adapterUses: number;
}

export interface Plan {
  readonly stages: readonly Stage[];
  readonly values: readonly PlacedValue[];
  readonly matrices: Readonly<Record<string, PlacedMatrix>>;
  readonly vectors: Readonly<Record<string, PlacedVector>>;
  readonly attentions: readonly PlacedAttention[];
  readonly ropes: readonly PlacedRope[];
  readonly result: Recording["result"];
  readonly expertsUsed: number;
  /** Scale of each loaded adapter where a request does not say. */
  readonly adapters: readonly number[];
  readonly step: StepArea;
  readonly capacity: RowCapacity;
  /** Block tables: one of `tableBlocks` int32 for each sequence. */
  readonly blockTables: number;
  readonly sequences: number;
  readonly tableBlocks: number;
  readonly cacheBlocks: number;
  readonly cacheBlockBytes: number;
  /** Scratch of each worker; while a model is loaded, rows of the file. */
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly weightBytes: number;
  readonly activationBytes: number;
  readonly totalBytes: number;
}

export interface PlanOptions {
  readonly recording: Recording;
  readonly typeOf: (name: string) => GgmlTypeName;
  /** Rows of a step, and rows whose output can be asked for in one. */
  readonly rows: number;
  readonly outputs: number;
  readonly sequences: number;
  /** Tokens of one sequence. */
  readonly contextTokens: number;
  readonly cacheBlocks: number;
  readonly workers: number;
  readonly adapters?: readonly number[];
}

const leastScratchBytes = 256 * 1024;

/** Rows of the file wait there while a model is loaded. */
function scratchFor(matrices: Iterable<PlacedMatrix>): number {
  const staging = Array.from(matrices, ({ type, k }) => leastStagingBytes(type, k));
  return Math.ceil(Math.max(leastScratchBytes, ...staging) / 64) * 64;
}

export function createPlan(options: PlanOptions): Plan {
  const { recording, rows, outputs, sequences, contextTokens, workers, adapters = [] } = options;
  const used = Math.max(1, recording.expertsUsed);
  const capacity: RowCapacity = { all: rows, outputs, slots: rows * used, outputSlots: outputs * used };
  const stages = toStages(recording.ops, recording.values);
  const place = createPlacer(constantsEnd);
  const { matrices, vectors } = placeTensors(stages, options, place);
  const weightBytes = place(0) - constantsEnd;
  const step = placeStep(place, capacity, adapters.length);
  const ropes = recording.ropes.map((rope) => ({ ...rope, table: place(rows * rope.dimensions * 4) }));
  const tableBlocks = Math.ceil(contextTokens / blockTokens);
  const blockTables = place(sequences * tableBlocks * 4);
  const scratchBytes = scratchFor(Object.values(matrices));
  const scratch = place(workers * scratchBytes);
  const buffers = planBuffers(stages, recording.values, { capacity, result: recording.result.value });
  const base = place(buffers.totalBytes);
  const activationBytes = base + buffers.totalBytes - constantsEnd - weightBytes;
  const attentions = recording.attentions.map((info) => placeAttention(info, options.cacheBlocks, place));
  return {
    stages,
    values: recording.values.map((value, id) => ({
      ...value,
      address: base + (buffers.offsets[id] ?? 0),
      stride: rowBytes(value),
    })),
    matrices,
    vectors,
    attentions,
    ropes,
    result: recording.result,
    expertsUsed: recording.expertsUsed,
    adapters,
    step,
    capacity,
    blockTables,
    sequences,
    tableBlocks,
    cacheBlocks: options.cacheBlocks,
    cacheBlockBytes: attentions.reduce((sum, one) => sum + one.keyBlockBytes + one.valueBlockBytes, 0),
    scratch,
    scratchBytes,
    weightBytes,
    activationBytes,
    totalBytes: place(0),
  };
}

type Place = (bytes: number) => number;

/** Hands out addresses, each at a cache line. */
function createPlacer(start: number): Place {
  let next = start;
  return (bytes) => {
    const address = Math.ceil(next / 64) * 64;
    next = address + bytes;
    return address;
  };
}

function placeTensors(
  stages: readonly Stage[],
  { typeOf }: PlanOptions,
  place: Place,
): { matrices: Record<string, PlacedMatrix>; vectors: Record<string, PlacedVector> } {
  const matrices: Record<string, PlacedMatrix> = {};
  const vectors: Record<string, PlacedVector> = {};
  const rows = new Map<string, Matrix>();
  const addMatrix = (matrix: Matrix): void => {
    const end = (matrix.row ?? 0) + matrix.n;
    const known = rows.get(matrix.name);
    if (!known || known.n < end) rows.set(matrix.name, { ...matrix, n: end });
  };
  const addVector = ({ name, length, start = 0 }: Vector): void => {
    const known = vectors[name];
    vectors[name] = { name, type: typeOf(name), address: 0, length: Math.max(known?.length ?? 0, start + length) };
  };
  for (const op of stages.flatMap(opsOf)) {
    if ("table" in op) addMatrix(op.table);
    if (op.kind === "matmul") addMatrix(op.weight);
    if (op.kind === "adapt") for (const { b } of op.parts) addMatrix(b);
    if (op.kind === "bias") addVector(op.bias);
    if (op.kind === "norm") for (const vector of [op.weight, op.bias]) if (vector) addVector(vector);
  }
  for (const { name, k, n, experts = 1 } of rows.values()) {
    const type = typeOf(name);
    const layout = layoutOf(type);
    const expertBytes = matrixBytes(layout, { k, n });
    matrices[name] = { name, type, layout, address: place(expertBytes * experts), k, n, experts, expertBytes };
  }
  for (const [name, vector] of Object.entries(vectors)) {
    vectors[name] = { ...vector, address: place(vector.length * 4) };
  }
  return { matrices, vectors };
}

function placeStep(place: Place, { all, outputs, slots }: RowCapacity, adapters: number): StepArea {
  return {
    counts: place(64),
    tokens: place(all * 4),
    positions: place(all * 4),
    tables: place(all * 4),
    lengths: place(all * 4),
    outputs: place(outputs * 4),
    runs: place(all * 8),
    slotRows: place(slots * 4),
    slotWeights: place(slots * 4),
    slotOf: place(slots * 4),
    expertStarts: place(4096),
    adapterScales: place(all * adapters * 4),
    adapterUses: place(adapters * 4),
  };
}

function placeAttention(info: AttentionInfo, blocks: number, place: Place): PlacedAttention {
  const keyBlockBytes = info.keyHeads * info.headWidth * blockTokens * 2;
  const valueBlockBytes = info.keyHeads * info.valueWidth * blockTokens * 2;
  return { ...info, keyBlockBytes, valueBlockBytes, keys: place(keyBlockBytes * blocks), values: place(valueBlockBytes * blocks) };
}
