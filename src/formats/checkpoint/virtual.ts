/** Tensors laid out one after the other, as the data of a GGUF file, and any range of their bytes. */
import { ggmlType, tensorBytes } from "../gguf/ggml.ts";
import type { GgufTensor } from "../gguf/types.ts";
import { rowBytes } from "./rows.ts";
import type { MatrixRows } from "./scheme.ts";
import type { NamedTensor } from "./tensors.ts";

export const alignment = 32;

/** Fills `target` with the bytes of the data from `offset` on; padding is zeros. RangeError: beyond the end. */
export type ReadData = (offset: number, target: Uint8Array) => void;

export interface VirtualData {
  readonly tensors: readonly GgufTensor[];
  readonly dataBytes: number;
  readonly read: ReadData;
}

export function layOut(named: readonly NamedTensor[]): VirtualData {
  let offset = 0;
  const tensors = named.map(({ name, shape, rows: { type: typeName } }): GgufTensor => {
    const type = ggmlType(typeName);
    const sizeBytes = tensorBytes(type, shape);
    const tensor = { name, shape, type: type.id, typeName, offset, sizeBytes };
    offset = Math.ceil((offset + sizeBytes) / alignment) * alignment;
    return tensor;
  });
  const read: ReadData = (start, target) => {
    if (start < 0 || start + target.length > offset)
      throw new RangeError(`no bytes from ${start}: there are ${offset}`);
    for (let index = lastAt(tensors, start); index < tensors.length; index++) {
      const { offset: begin, sizeBytes } = tensors[index]!;
      if (begin >= start + target.length) break;
      const from = Math.max(start, begin);
      const to = Math.min(start + target.length, begin + sizeBytes);
      if (to > from) readRange(named[index]!.rows, from - begin, target.subarray(from - start, to - start));
      const next = Math.ceil((begin + sizeBytes) / alignment) * alignment;
      target.fill(0, Math.max(0, begin + sizeBytes - start), Math.max(0, next - start));
    }
  };
  return { tensors, dataBytes: offset, read };
}

/** The last tensor that begins at or before a byte. */
function lastAt(tensors: readonly GgufTensor[], byte: number): number {
  let [low, high] = [0, tensors.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tensors[middle]!.offset <= byte) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Rows that are wanted only in part are read whole, and cut. */
function readRange(rows: MatrixRows, offset: number, target: Uint8Array): void {
  const bytes = rowBytes(rows);
  const first = Math.floor(offset / bytes);
  const end = Math.ceil((offset + target.length) / bytes);
  if (offset % bytes === 0 && target.length % bytes === 0) {
    rows.readRows(first, end - first, target);
    return;
  }
  const whole = new Uint8Array((end - first) * bytes);
  rows.readRows(first, end - first, whole);
  target.set(whole.subarray(offset - first * bytes, offset - first * bytes + target.length));
}
