/** The tensors of a source as rows, and rows with fewer columns. */
import { rowBytes } from "../../formats/checkpoint/rows.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import type { GgufTensor } from "../../formats/gguf/types.ts";
import { halves } from "../../util/half.ts";
import type { WeightData } from "../source.ts";

/** Nothing is read before it is asked for. A vector is as many rows of one weight. */
export function tensorRows({ shape, typeName: type, offset }: GgufTensor, data: WeightData): MatrixRows {
  const k = shape.length === 1 ? 1 : (shape[0] ?? 1);
  const n = shape.reduce((product, size) => product * size, 1) / k;
  const bytes = rowBytes({ type, k });
  return { type, n, k, readRows: (first, _, target) => data.read(offset + first * bytes, target) };
}

/** Weights of a floating type as words of so many bits; their upper bit is the sign. */
export type Words = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export function readWords(rows: MatrixRows, first: number, count: number): Words {
  const words = rows.type === "F32" ? new Uint32Array(count * rows.k) : new Uint16Array(count * rows.k);
  rows.readRows(first, count, new Uint8Array(words.buffer));
  return words;
}

/** |w| of each. */
export function readMagnitudes(words: Words, type: MatrixRows["type"], magnitudes: Float32Array): void {
  if (type === "F16") {
    for (let i = 0; i < words.length; i++) magnitudes[i] = halves[words[i]! & 0x7fff]!;
    return;
  }
  const bits = new Uint32Array(magnitudes.buffer, magnitudes.byteOffset, magnitudes.length);
  if (type === "BF16") for (let i = 0; i < words.length; i++) bits[i] = (words[i]! & 0x7fff) << 16;
  else for (let i = 0; i < words.length; i++) bits[i] = words[i]! & 0x7fff_ffff;
}

/** Those columns of rows of a floating type, ascending. */
export function takeColumns(rows: MatrixRows, columns: readonly number[]): MatrixRows {
  const { n, k, type } = rows;
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const from = readWords(rows, first, count);
    const width = columns.length;
    const to = new (type === "F32" ? Uint32Array : Uint16Array)(count * width);
    for (let row = 0; row < count; row++) {
      for (let i = 0; i < width; i++) to[row * width + i] = from[row * k + columns[i]!]!;
    }
    target.set(new Uint8Array(to.buffer));
  };
  return { type, n, k: columns.length, readRows };
}

const pieceWeights = 512 * 1024;

/** All rows, some at a time. */
export function forEachPiece({ n, k }: MatrixRows, run: (first: number, count: number) => void): void {
  const step = Math.max(1, Math.floor(pieceWeights / k));
  for (let row = 0; row < n; row += step) run(row, Math.min(step, n - row));
}
