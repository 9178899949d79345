/** Brings the tensors of an adapter into memory. They are small, so one thread does it while no other works yet. */
import { ggmlType, tensorBytes } from "../../../formats/gguf/ggml.ts";
import type { GgufTensor } from "../../../formats/gguf/types.ts";
import type { PlacedMatrix, Plan } from "../graph/plan.ts";
import { toFloat32 } from "../weights/codecs/float.ts";
import { rowGroup, rowGroupBytes } from "../weights/layout.ts";
import { packRows } from "../weights/pack.ts";
import type { Adapter } from "./read.ts";
import { adapterType } from "./read.ts";

/** Fills `target` with the bytes of the file from `offset` on; rejects where the file ends before. */
export type ReadBytes = (offset: number, target: Uint8Array) => Promise<void>;

const pieceBytes = 4 * 1024 * 1024;

export async function loadAdapter(
  { file, tensors }: Adapter,
  { plan, memories }: { readonly plan: Plan; readonly memories: readonly WebAssembly.Memory[] },
  read: ReadBytes,
): Promise<void> {
  for (const [name, tensor] of tensors) {
    const matrix = plan.matrices[name];
    const memory = matrix && memories[matrix.bank];
    if (memory)
      for (const piece of piecesOf(tensor, matrix))
        await loadPiece({ tensor, matrix, piece, memory, start: file.dataOffset }, read);
  }
}

/** Rows of one expert's matrix. */
interface Piece {
  readonly expert: number;
  readonly row: number;
  readonly rows: number;
}

function piecesOf({ typeName }: GgufTensor, { k, n, experts }: PlacedMatrix): Piece[] {
  const rowBytes = Math.max(k * 4, tensorBytes(ggmlType(typeName), [k]));
  const step = Math.max(1, Math.floor(pieceBytes / rowBytes / rowGroup)) * rowGroup;
  return Array.from({ length: experts }, (_, expert) =>
    Array.from({ length: Math.ceil(n / step) }, (_row, index) => ({
      expert,
      row: index * step,
      rows: Math.min(step, n - index * step),
    })),
  ).flat();
}

interface PieceJob {
  readonly tensor: GgufTensor;
  readonly matrix: PlacedMatrix;
  readonly piece: Piece;
  readonly memory: WebAssembly.Memory;
  /** First byte of the tensor data in the file. */
  readonly start: number;
}

async function loadPiece({ tensor, matrix, piece, memory, start }: PieceJob, read: ReadBytes): Promise<void> {
  const { k, n, layout, address, expertBytes } = matrix;
  const { expert, row, rows } = piece;
  const rowBytes = tensorBytes(ggmlType(tensor.typeName), [k]);
  // Rows that a group lacks are zeros.
  const whole = Math.ceil(rows / rowGroup) * rowGroup;
  const bytes = new Uint8Array(whole * rowBytes);
  await read(start + tensor.offset + (expert * n + row) * rowBytes, bytes.subarray(0, rows * rowBytes));
  const to = address + expert * expertBytes + (row / rowGroup) * rowGroupBytes(layout, k);
  packRows({ ...inMemory(tensor, bytes, whole * k), k, rows: whole, target: new Uint8Array(memory.buffer, to) });
}

function inMemory(
  tensor: GgufTensor,
  source: Uint8Array,
  elements: number,
): Pick<Parameters<typeof packRows>[0], "type" | "source"> {
  const type = adapterType(tensor);
  if (type === tensor.typeName) return { type, source };
  const values = new Float32Array(elements);
  toFloat32(tensor.typeName, source, values);
  return { type, source: new Uint8Array(values.buffer) };
}
