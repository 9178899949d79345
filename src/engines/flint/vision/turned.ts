/** Matrices whose rows and columns are exchanged in the file, read as if they were not. */
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { ReadFile } from "../threads/load.ts";
import type { TurnedTensor } from "./family.ts";
import type { VisionFigures } from "./figures.ts";

export interface Turned extends Omit<TurnedTensor, "name"> {
  /** Of the file. */
  readonly offset: number;
  readonly elementBytes: 2 | 4;
}

/** The matrices of a projector that are to be turned; `checkVision` has seen that they are of floats. */
export function turnedOf(file: GgufFile, { turned = [] }: Pick<VisionFigures, "turned">): Turned[] {
  return turned.flatMap(({ name, ...parts }) => {
    const tensor = file.tensors.find((one) => one.name === name);
    if (!tensor) return [];
    return { ...parts, offset: file.dataOffset + tensor.offset, elementBytes: tensor.typeName === "F32" ? 4 : 2 };
  });
}

/** Reads what lies within one of the matrices in the order [count][columns][rows]. */
export function turning(read: ReadFile, matrices: readonly Turned[]): ReadFile {
  const known = new Map<Turned, Uint8Array>();
  return (offset, target) => {
    const matrix = matrices.find((one) => offset >= one.offset && offset < one.offset + bytesOf(one));
    if (!matrix) return read(offset, target);
    const turned = known.get(matrix) ?? turn(read, matrix);
    known.set(matrix, turned);
    target.set(turned.subarray(offset - matrix.offset, offset - matrix.offset + target.length));
  };
}

function bytesOf({ count, rows, columns, elementBytes }: Turned): number {
  return count * rows * columns * elementBytes;
}

function turn(read: ReadFile, matrix: Turned): Uint8Array {
  const { rows, columns, elementBytes } = matrix;
  const bytes = new Uint8Array(bytesOf(matrix));
  read(matrix.offset, bytes);
  const view = elementBytes === 2 ? Uint16Array : Uint32Array;
  const from = new view(bytes.buffer);
  const to = new view(from.length);
  for (let at = 0; at < from.length; at++) {
    const column = at % columns;
    const row = Math.floor(at / columns) % rows;
    const part = at - row * columns - column;
    to[part + column * rows + row] = from[at]!;
  }
  return new Uint8Array(to.buffer);
}
