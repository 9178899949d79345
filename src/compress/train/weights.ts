/** The weights of a model on their way into the memory of a training, as float32. */
import { toFloat32 } from "../../engines/flint/weights/codecs/float.ts";
import { ggmlType, tensorBytes } from "../../formats/gguf/ggml.ts";
import type { GgufFile, GgufTensor } from "../../formats/gguf/types.ts";
import type { WeightData } from "../source.ts";
import type { Tape } from "./tape.ts";

/** Numbers of each tensor that a pass reads and training does not change. */
export function frozenSizes({ operations }: Tape, file: GgufFile): ReadonlyMap<string, number> {
  const names = new Set<string>();
  for (const operation of operations) {
    if (operation.kind === "embed") names.add(operation.table.name);
    if (operation.kind === "linear" || operation.kind === "logits") names.add(operation.matrix.name);
    if (operation.kind === "linear" && operation.bias) names.add(operation.bias.name);
    if (operation.kind === "attention" && operation.rope?.factors) names.add(operation.rope.factors.name);
  }
  return new Map([...names].map((name) => [name, countOf(findTensor(file, name))]));
}

export function findTensor(file: GgufFile, name: string): GgufTensor {
  const tensor = file.tensors.find((one) => one.name === name);
  if (!tensor) throw new RangeError(`no tensor ${name}`);
  return tensor;
}

export function countOf({ shape }: GgufTensor): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Whole blocks of every type. */
const pieceWeights = 1024 * 1024;

/** Reads a tensor to where `target` begins, piece by piece. */
export function readTensor(tensor: GgufTensor, data: WeightData, target: Float32Array): void {
  const type = ggmlType(tensor.typeName);
  for (let start = 0; start < target.length; start += pieceWeights) {
    const part = target.subarray(start, start + pieceWeights);
    const bytes = new Uint8Array(tensorBytes(type, [part.length]));
    data.read(tensor.offset + tensorBytes(type, [start]), bytes);
    toFloat32(tensor.typeName, bytes, part);
  }
}
