/** Brings the tensors of a file into memory, in pieces that the workers take in turn. */
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { ggmlType, tensorBytes } from "../../../formats/gguf/ggml.ts";
import type { Plan } from "../graph/plan.ts";
import { toFloat32 } from "../weights/codecs/float.ts";
import { rowGroup, rowGroupBytes } from "../weights/layout.ts";
import { packRows } from "../weights/pack.ts";

/** Where a tensor stands in the file, bytes from its start. */
export type TensorOffsets = Readonly<Record<string, number>>;

/** Fills `target` with the bytes of the file from `offset` on; throws where the file ends before. */
export type ReadFile = (offset: number, target: Uint8Array) => void;

export interface LoadPiece {
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
  for (const { name, type, k, n, experts, address, layout, expertBytes } of Object.values(matrices)) {
    const rowBytes = tensorBytes(ggmlType(type), [k]);
    const step = Math.max(1, Math.floor(pieceBytes / rowBytes / rowGroup)) * rowGroup;
    for (let expert = 0; expert < experts; expert++) {
      for (let row = 0; row < n; row += step) {
        const rows = Math.min(step, n - row);
        pieces.push({
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
  for (const { name, type, length, address } of Object.values(vectors)) {
    const bytes = tensorBytes(ggmlType(type), [length]);
    pieces.push({ type, k: length, rows: 1, vector: true, offset: offsets[name] ?? 0, bytes, address });
  }
  return pieces;
}

export function loadPiece(piece: LoadPiece, memory: WebAssembly.Memory, read: ReadFile): void {
  const source = new Uint8Array(piece.bytes);
  read(piece.offset, source);
  if (piece.vector) {
    const values = new Float32Array(piece.k);
    toFloat32(piece.type, source, values);
    new Float32Array(memory.buffer, piece.address, piece.k).set(values);
    return;
  }
  const target = new Uint8Array(memory.buffer, piece.address);
  packRows({ type: piece.type, k: piece.k, rows: piece.rows, source, target });
}
