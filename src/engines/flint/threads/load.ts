/** Brings the tensors of a file into memory, in pieces that the workers take in turn. */
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { ggmlType, tensorBytes } from "../../../formats/gguf/ggml.ts";
import type { StoreSetup } from "../cache/store.ts";
import type { Plan } from "../graph/plan.ts";
import { encodeModule } from "../kernels/wasm/module.ts";
import { canPack, packKernel, packName, packTable } from "../kernels/wasm/pack.ts";
import { toFloat32 } from "../weights/codecs/float.ts";
import { rowGroup, rowGroupBytes } from "../weights/layout.ts";
import { layoutOf, packRows } from "../weights/pack.ts";
import { groupBytes, tableBytes } from "../weights/staging.ts";

/** Where a tensor stands in the file, bytes from its start. */
export type TensorOffsets = Readonly<Record<string, number>>;

/** Fills `target` with the bytes of the file from `offset` on; throws where the file ends before. */
export type ReadFile = (offset: number, target: Uint8Array) => void;

export interface LoadPiece {
  readonly bank: number;
  readonly type: GgmlTypeName;
  readonly offset: number;
  readonly bytes: number;
  readonly address: number;
  /** Width of a row, and rows; a vector is one row. */
  readonly k: number;
  readonly rows: number;
  readonly vector: boolean;
}

const pieceBytes = 4 * 1024 * 1024;

export function loadPieces({ matrices, vectors }: Plan, offsets: TensorOffsets): LoadPiece[] {
  const pieces: LoadPiece[] = [];
  for (const { name, bank, type, k, n, experts, address, layout, expertBytes } of Object.values(matrices)) {
    const rowBytes = tensorBytes(ggmlType(type), [k]);
    const step = Math.max(1, Math.floor(pieceBytes / rowBytes / rowGroup)) * rowGroup;
    for (let expert = 0; expert < experts; expert++) {
      for (let row = 0; row < n; row += step) {
        const rows = Math.min(step, n - row);
        pieces.push({
          bank,
          type,
          k,
          rows,
          vector: false,
          offset: (offsets[name] ?? 0) + (expert * n + row) * rowBytes,
          bytes: rows * rowBytes,
          address: address + expert * expertBytes + (row / rowGroup) * rowGroupBytes(layout, k),
        });
      }
    }
  }
  for (const { name, bank, type, length, address } of Object.values(vectors)) {
    const bytes = tensorBytes(ggmlType(type), [length]);
    pieces.push({ bank, type, k: length, rows: 1, vector: true, offset: offsets[name] ?? 0, bytes, address });
  }
  return pieces;
}

/** The kernels that pack the matrices of a plan, as a module. */
export function packModule({ matrices }: Plan): Uint8Array<ArrayBuffer> {
  const types = new Set(Object.values(matrices).map(({ type }) => type));
  return encodeModule({ memories: 1, functions: [...types].flatMap((type) => packKernel(type) ?? []) });
}

/** What every worker is handed to load its share; it travels between threads. */
export interface LoadSetup {
  readonly plan: Plan;
  /** One for each bank. */
  readonly memories: readonly WebAssembly.Memory[];
  readonly control: SharedArrayBuffer;
  /** Stages that it has cells for. */
  readonly stages: number;
  /** Int32: see `loadCells`. */
  readonly loading: SharedArrayBuffer;
  readonly pieces: readonly LoadPiece[];
  /** The kernels that pack them. */
  readonly packing: WebAssembly.Module;
  /** See `Counters`. */
  readonly counters: SharedArrayBuffer;
  /** Whether tokens are guessed ahead. */
  readonly speculation: boolean;
  /** Where the leader keeps blocks outside memory. */
  readonly store?: StoreSetup | undefined;
  readonly index: number;
  readonly workers: number;
}

/** Next piece to load, bytes loaded so far in KiB, pieces done, whether to stop. */
export const loadCells = { next: 0, kibibytes: 1, done: 2, stop: 3 } as const;

/** Loads pieces until none is left, or somebody stopped the load. */
export function loadShare({ plan, memories, packing, pieces, loading, index }: LoadSetup, read: ReadFile): void {
  const { scratch, scratchBytes: bytes } = plan;
  const loaders = memories.map((memory) =>
    createLoader({ memory, module: packing, address: scratch + index * bytes, bytes, read }),
  );
  const cells = new Int32Array(loading);
  for (;;) {
    const piece = pieces[Atomics.add(cells, loadCells.next, 1)];
    if (!piece || Atomics.load(cells, loadCells.stop) !== 0) return;
    loaders[piece.bank]?.(piece);
    Atomics.add(cells, loadCells.kibibytes, Math.round(piece.bytes / 1024));
    Atomics.add(cells, loadCells.done, 1);
  }
}

export interface LoaderOptions {
  readonly memory: WebAssembly.Memory;
  /** What `packModule` says. */
  readonly module: WebAssembly.Module;
  /** Memory for rows of the file. */
  readonly address: number;
  readonly bytes: number;
  readonly read: ReadFile;
}

type Kernel = (...parameters: number[]) => void;

/** Loads pieces, one after the other. */
export function createLoader({ memory, module, address, bytes, read }: LoaderOptions): (piece: LoadPiece) => void {
  const kernels = new WebAssembly.Instance(module, { memory: { "0": memory } }).exports as Readonly<
    Record<string, Kernel>
  >;
  const source = address + tableBytes;
  const staging = new Uint8Array(memory.buffer, source, bytes - tableBytes);
  let written: GgmlTypeName | undefined;

  const pack = ({ type, k }: LoadPiece, groups: number, target: number): void => {
    const kernel = canPack(type, k) ? kernels[packName(type)] : undefined;
    if (!kernel) {
      packRows({ type, k, rows: groups * rowGroup, source: staging, target: new Uint8Array(memory.buffer, target) });
      return;
    }
    if (written !== type) new Uint8Array(memory.buffer, address).set(packTable(type));
    written = type;
    kernel(source, target, k, groups, address);
  };

  return (piece) => {
    if (piece.vector) return loadVector(piece, memory, read);
    const { type, k, rows, offset } = piece;
    const inBytes = groupBytes(type, k);
    const outBytes = rowGroupBytes(layoutOf(type), k);
    const groups = Math.ceil(rows / rowGroup);
    const most = Math.floor(staging.length / inBytes);
    for (let group = 0; group < groups; group += most) {
      const count = Math.min(most, groups - group);
      const known = Math.min(count * inBytes, piece.bytes - group * inBytes);
      read(offset + group * inBytes, staging.subarray(0, known));
      // Rows that a group lacks are zeros.
      staging.fill(0, known, count * inBytes);
      pack(piece, count, piece.address + group * outBytes);
    }
  };
}

function loadVector({ type, k, bytes, offset, address }: LoadPiece, memory: WebAssembly.Memory, read: ReadFile): void {
  const source = new Uint8Array(bytes);
  read(offset, source);
  const values = new Float32Array(k);
  toFloat32(type, source, values);
  new Float32Array(memory.buffer, address, k).set(values);
}
