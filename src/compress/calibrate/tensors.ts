/** The weights of a model, read when a step needs them. */
import { toFloat32 } from "../../engines/flint/weights/codecs/float.ts";
import type { Matrix, Vector } from "../../engines/flint/graph/graph.ts";
import { ggmlType, tensorBytes } from "../../formats/gguf/ggml.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { WeightData } from "../source.ts";
import type { Arena } from "./arena.ts";

export interface Tensors {
  /** Rows of a matrix: [count][k]. */
  rows(matrix: Matrix, first: number, count: number): Float32Array;
  matrix(matrix: Matrix): Float32Array;
  vector(vector: Vector): Float32Array;
}

/** What is given is from the arena. */
export function createTensors(file: GgufFile, data: WeightData, arena: Arena): Tensors {
  const byName = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const read = (name: string, first: number, count: number): Float32Array => {
    const tensor = byName.get(name);
    if (!tensor) throw new RangeError(`no tensor ${name}`);
    const type = ggmlType(tensor.typeName);
    const source = new Uint8Array(tensorBytes(type, [count]));
    data.read(tensor.offset + tensorBytes(type, [first]), source);
    const floats = arena.floats(count);
    toFloat32(tensor.typeName, source, floats);
    return floats;
  };
  const rows: Tensors["rows"] = ({ name, k, row = 0 }, first, count) => read(name, (row + first) * k, count * k);
  return {
    rows,
    matrix: (matrix) => rows(matrix, 0, matrix.n),
    vector: ({ name, start = 0, length }) => read(name, start, length),
  };
}
