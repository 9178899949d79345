/** Where everything stands in memory, and which kernels are needed. Plain data for the compute workers. */
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import type { CacheTypes } from "../cache/layout.ts";
import { keyBlockBytes, valueBlockBytes } from "../cache/layout.ts";
import { constantsEnd } from "../kernels/wasm/constants.ts";
import type { Layout } from "../weights/layout.ts";
import { matrixBytes } from "../weights/layout.ts";
import { layoutOf } from "../weights/pack.ts";
import { leastStagingBytes } from "../weights/staging.ts";
import type { Banks } from "./banks.ts";
import { addTransfers, assignBanks, bankOf } from "./banks.ts";
import type { RowCapacity } from "./buffers.ts";
import { planBuffers, rowBytes } from "./buffers.ts";
import type { Matrix, RopeOptions, Vector } from "./graph.ts";
import type { AttentionInfo, Observation, Recording, ValueInfo } from "./program.ts";
import { toStages } from "./stages.ts";
import type { Stage } from "./stages.ts";

/** Tokens of a block of the KV cache. */
export const blockTokens = 32;

export interface PlacedMatrix {
  readonly name: string;
  readonly bank: number;
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
  readonly bank: number;
  readonly type: GgmlTypeName;
  readonly address: number;
  readonly length: number;
}

export interface PlacedValue extends ValueInfo {
  readonly address: number;
  /** Bytes from row to row. */
  readonly stride: number;
}

export interface PlacedAttention extends AttentionInfo, CacheTypes {
  readonly bank: number;
  /** Index into `cacheGroups`. */
  readonly group: number;
  readonly keys: number;
  readonly values: number;
  readonly keyBlockBytes: number;
  readonly valueBlockBytes: number;
}

/** Sums of float64: `k` for each expert and how many rows they are of; all that once for each worker, `workerBytes` apart. */
export interface PlacedObservation extends Observation {
  readonly address: number;
  readonly workers: number;
  readonly workerBytes: number;
}

/** Layers whose blocks are dealt together: those that see all tokens, and those with a window of some size. */
export interface PlacedGroup {
  readonly window?: number | undefined;
  readonly blocks: number;
  /** Bytes of a block, of all its layers. */
  readonly blockBytes: number;
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
  /** For rows that see their picture both ways the position after its last row; 0: the row sees none after it. */
  readonly reaches: number;
  /** Of encoders: the first position that a row of a part sees; `reaches` has the one after its last. */
  readonly starts: number;
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
  /** Steps have many rows, and no row of a step need have the same bits in another one: see `wide.ts`. */
  readonly wide: boolean;
  /** Values that a step brings along; they stand in the first bank. */
  readonly inputs: Recording["inputs"];
  readonly expertsUsed: number;
  readonly observations: readonly PlacedObservation[];
  /** Scale of each loaded adapter where a request does not say. */
  readonly adapters: readonly number[];
  readonly step: StepArea;
  readonly capacity: RowCapacity;
  /** Block tables: for each sequence one of `tableBlocks` int32 for each group. */
  readonly blockTables: number;
  readonly sequences: number;
  readonly tableBlocks: number;
  /** The first one is that of the layers that see all tokens. */
  readonly cacheGroups: readonly PlacedGroup[];
  /** Scratch of each worker; while a model is loaded, rows of the file. */
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly weightBytes: number;
  readonly activationBytes: number;
  /** Bytes of each bank. What is not weights or cache stands in all of them, at the same addresses. */
  readonly bankBytes: readonly number[];
  /** The bank of the result. */
  readonly resultBank: number;
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
  readonly cacheTypes: CacheTypes;
  /** See `Plan.wide`. */
  readonly wide?: boolean | undefined;
  /** Nothing is kept from step to step: the layers of a bank take turns in one cache. They are alike. */
  readonly sharedCache?: boolean | undefined;
  readonly workers: number;
  readonly adapters?: readonly number[];
  /** Most bytes of a bank. */
  readonly bankBytes: number;
}

const leastScratchBytes = 256 * 1024;

/** Rows of the file wait there while a model is loaded. */
function scratchFor(matrices: Tensors["matrices"]): number {
  // A row of activations too: see `rest` in `kernels/wasm/activations.ts`.
  const staging = matrices.map(({ type, k }) => Math.max(leastStagingBytes(type, k), k * 4));
  return Math.ceil(Math.max(leastScratchBytes, ...staging) / 64) * 64;
}

export function createPlan(options: PlanOptions): Plan {
  const { recording, rows, outputs, sequences, contextTokens, workers, adapters = [] } = options;
  const used = Math.max(1, recording.expertsUsed);
  const capacity: RowCapacity = { all: rows, outputs, slots: rows * used, outputSlots: outputs * used };
  const tensors = collectTensors(options);
  const windows = windowsOf(options);
  const caches = recording.attentions.map((info): Cache => {
    const group = Math.max(0, windows.indexOf(info.window));
    const shape = { ...info, ...options.cacheTypes };
    const bytes = { keyBlockBytes: keyBlockBytes(shape), valueBlockBytes: valueBlockBytes(shape) };
    return { ...bytes, group, blocks: groupBlocks(options, windows[group]) };
  });
  const place = createPlacer(constantsEnd);
  const step = placeStep(place, capacity, adapters.length);
  const ropes = recording.ropes.map((rope) => ({ ...rope, table: place(rows * rope.dimensions * 4) }));
  const tableBlocks = Math.ceil(contextTokens / blockTokens);
  const blockTables = place(sequences * windows.length * tableBlocks * 4);
  const scratchBytes = scratchFor(tensors.matrices);
  const scratch = place(workers * scratchBytes);
  const observations = recording.observations.map((observation): PlacedObservation => {
    const workerBytes = observation.experts * (observation.k + 1) * 8;
    return { ...observation, workers, workerBytes, address: place(workers * workerBytes) };
  });
  const base = place(0);
  const { banks, stages, buffers } = spread({ options, capacity, tensors, caches, base });
  const start = base + buffers.totalBytes;
  const placers = Array.from({ length: banks.count }, () => createPlacer(start));
  const placeIn = (bank: number, bytes: number): number => placers[bank]?.(bytes) ?? 0;
  const matrices = tensors.matrices.map((matrix): PlacedMatrix => {
    const bank = banks.ofTensor(matrix.name);
    return { ...matrix, bank, address: placeIn(bank, matrix.expertBytes * matrix.experts) };
  });
  const vectors = tensors.vectors.map((vector): PlacedVector => {
    const bank = banks.ofTensor(vector.name);
    return { ...vector, bank, address: placeIn(bank, vector.length * 4) };
  });
  const weightBytes = placers.reduce((sum, placer) => sum + placer(0) - start, 0);
  const places = new Map<number, Pick<PlacedAttention, "keys" | "values">>();
  const attentions = recording.attentions.map((info, index): PlacedAttention => {
    const bank = banks.ofAttention(index);
    const { keyBlockBytes = 0, valueBlockBytes = 0, group = 0, blocks = 0 } = caches[index] ?? {};
    const place = (options.sharedCache ? places.get(bank) : undefined) ?? {
      keys: placeIn(bank, keyBlockBytes * blocks),
      values: placeIn(bank, valueBlockBytes * blocks),
    };
    places.set(bank, place);
    return { ...info, ...options.cacheTypes, bank, group, keyBlockBytes, valueBlockBytes, ...place };
  });
  return {
    stages,
    values: recording.values.map((value, id) => ({
      ...value,
      address: base + (buffers.offsets[id] ?? 0),
      stride: rowBytes(value),
    })),
    matrices: Object.fromEntries(matrices.map((matrix) => [matrix.name, matrix])),
    vectors: Object.fromEntries(vectors.map((vector) => [vector.name, vector])),
    attentions,
    ropes,
    result: recording.result,
    wide: options.wide ?? false,
    inputs: recording.inputs,
    expertsUsed: recording.expertsUsed,
    observations,
    adapters,
    step,
    capacity,
    blockTables,
    sequences,
    tableBlocks,
    cacheGroups: windows.map((window, group) => ({
      window,
      blocks: groupBlocks(options, window),
      blockBytes: caches
        .slice(0, options.sharedCache ? 1 : caches.length)
        .reduce((sum, one) => (one.group === group ? sum + bytesOf(one) : sum), 0),
    })),
    scratch,
    scratchBytes,
    weightBytes,
    activationBytes: (start - constantsEnd) * banks.count,
    bankBytes: placers.map((placer) => placer(0)),
    resultBank: stages.at(-1)?.bank ?? 0,
  };
}

interface SpreadOptions {
  readonly options: PlanOptions;
  readonly capacity: RowCapacity;
  readonly tensors: Tensors;
  readonly caches: readonly Cache[];
  /** Where activations begin. */
  readonly base: number;
}

/** Stages and buffers, in as few banks as hold everything. */
function spread({ options, capacity, tensors, caches, base }: SpreadOptions) {
  const { recording, bankBytes } = options;
  const { ops, values, result } = recording;
  const sizes = new Map([
    ...tensors.matrices.map(({ name, expertBytes, experts }) => [name, expertBytes * experts + 64] as const),
    ...tensors.vectors.map(({ name, length }) => [name, length * 4 + 64] as const),
  ]);
  const own = caches.map((one) => bytesOf(one) * one.blocks + 128);
  const attentions = options.sharedCache ? own.map(() => 0) : own;
  const shared = options.sharedCache ? Math.max(0, ...own) : 0;
  const planFor = (banks: Banks) => {
    const stages = addTransfers(toStages(ops, values, (op) => bankOf(op, banks)));
    return { banks, stages, buffers: planBuffers(stages, values, { capacity, result: result.value }) };
  };
  const single = planFor(assignBanks(recording, { tensors: sizes, attentions, room: Infinity }));
  // Activations take a little more where values must last until they are copied.
  const room = bankBytes - base - single.buffers.totalBytes * 1.1 - shared - 64 * 1024;
  const total = [...sizes.values(), ...attentions].reduce((sum, bytes) => sum + bytes, 0);
  return total <= room ? single : planFor(assignBanks(recording, { tensors: sizes, attentions, room }));
}

/** The cache of a layer. */
interface Cache {
  readonly group: number;
  readonly blocks: number;
  readonly keyBlockBytes: number;
  readonly valueBlockBytes: number;
}

function bytesOf({ keyBlockBytes, valueBlockBytes }: Cache): number {
  return keyBlockBytes + valueBlockBytes;
}

/** No window first; an encoder, whose texts are whole, has no others. */
function windowsOf({ recording, contextTokens }: PlanOptions): (number | undefined)[] {
  const sliding = recording.attentions.filter(({ bidirectional }) => !bidirectional);
  const windows = sliding.flatMap(({ window }) => (window && window < contextTokens ? window : []));
  return [undefined, ...new Set(windows)];
}

/** A window needs no more than its own tokens and those of a step; twice that, so that prefixes can stay. */
function groupBlocks({ cacheBlocks, sequences, rows }: PlanOptions, window: number | undefined): number {
  if (window === undefined) return cacheBlocks;
  return Math.min(cacheBlocks, 2 * sequences * (Math.ceil((window + rows) / blockTokens) + 2));
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

interface Tensors {
  readonly matrices: readonly Omit<PlacedMatrix, "bank" | "address">[];
  readonly vectors: readonly Omit<PlacedVector, "bank" | "address">[];
}

/** The tensors that the forward pass reads, as wide as it reads them. */
function collectTensors({ recording, typeOf }: PlanOptions): Tensors {
  const matrices = new Map<string, Matrix>();
  const vectors = new Map<string, number>();
  const addMatrix = (matrix: Matrix): void => {
    const end = (matrix.row ?? 0) + matrix.n;
    const known = matrices.get(matrix.name);
    if (!known || known.n < end) matrices.set(matrix.name, { ...matrix, n: end });
  };
  const addVector = ({ name, length, start = 0 }: Vector): void => {
    vectors.set(name, Math.max(vectors.get(name) ?? 0, start + length));
  };
  for (const op of recording.ops) {
    if ("table" in op) addMatrix(op.table);
    if (op.kind === "matmul") addMatrix(op.weight);
    if (op.kind === "adapt") for (const { b } of op.parts) addMatrix(b);
    if (op.kind === "bias") addVector(op.bias);
    if (op.kind === "gather") addVector(op.columns);
    if (op.kind === "norm") for (const vector of [op.weight, op.bias]) if (vector) addVector(vector);
  }
  for (const { factors } of recording.ropes) if (factors) addVector(factors);
  return {
    matrices: Array.from(matrices.values(), ({ name, k, n, experts = 1 }) => {
      const type = typeOf(name);
      const layout = layoutOf(type);
      return { name, type, layout, k, n, experts, expertBytes: matrixBytes(layout, { k, n }) };
    }),
    vectors: Array.from(vectors, ([name, length]) => ({ name, type: typeOf(name), length })),
  };
}

function placeStep(place: Place, { all, outputs, slots }: RowCapacity, adapters: number): StepArea {
  return {
    counts: place(64),
    tokens: place(all * 4),
    positions: place(all * 4),
    tables: place(all * 4),
    lengths: place(all * 4),
    reaches: place(all * 4),
    starts: place(all * 4),
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
