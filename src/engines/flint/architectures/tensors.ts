import { HearthError } from "../../../error.ts";
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { malformed, printable } from "../../../formats/gguf/malformed.ts";
import type { GgufFile, GgufTensor } from "../../../formats/gguf/types.ts";
import type { Matrix, Vector } from "../graph/graph.ts";

/**
 * The tensors of a model by name. Each look-up states the shape that the graph needs, in the order of GGUF (input width
 * first). It throws `model_malformed` for a tensor that is missing or has another shape, and `model_unsupported` for one
 * of a type that flint does not read. Nothing of a tensor's data is touched.
 */
export interface Tensors {
  has(name: string): boolean;
  /** [k, n]. Beside `NAME.weight` there may be `NAME.columns` [k]: its columns are in another order, see `Matrix`. */
  matrix(name: string, k: number, n: number): Matrix;
  /** [k, n, count]: one matrix for each expert. */
  experts(name: string, k: number, n: number, count: number): Matrix;
  /** [length], or [length / rows, rows]. */
  vector(name: string, length: number, rows?: number): Vector;
  /** Says that the graph knows this tensor and has no use for it here. */
  ignore(name: string): void;
  /** Names of the tensors that nothing asked for. */
  unknown(): readonly string[];
}

/** What projectors have besides. */
export interface PictureTensors extends Tensors {
  /** [side, side, channels, n]: a convolution whose steps are as wide as itself, as a matrix of whole patches. */
  patches(name: string, side: number, channels: number, n: number): Matrix;
  /** [k, n], or [n, k], of floats: whoever reads it puts their elements in order. */
  floats(name: string, k: number, n: number): Matrix;
  transposed(name: string, k: number, n: number): Matrix;
  hasShape(name: string, ...shape: readonly number[]): boolean;
}

/** Types of matrices that flint reads. */
export const matrixTypes: ReadonlySet<GgmlTypeName> = new Set<GgmlTypeName>([
  ...(["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"] as const),
  ...(["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"] as const),
  ...(["TQ1_0", "TQ2_0", "MXFP4", "NVFP4", "Q1_0", "Q2_0"] as const),
]);

export function createTensors(file: GgufFile): PictureTensors {
  const tensors = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const unknown = new Set(tensors.keys());
  const find = (name: string, shape: readonly number[]): GgufTensor => {
    unknown.delete(name);
    return checkShape(file, name, { tensor: tensors.get(name), shape });
  };
  const vector: Tensors["vector"] = (name, length, rows) => {
    const tensor = find(name, rows === undefined ? [length] : [length / rows, rows]);
    if (tensor.typeName !== "F32") throw unsupported(file, tensor, "flint reads norms and biases of type F32 only");
    return { name, length };
  };
  return {
    has: (name) => tensors.has(name),
    matrix(name, k, n) {
      checkType(file, find(name, [k, n]));
      const columns = name.replace(/\.weight$/, ".columns");
      return { name, k, n, ...(columns !== name && tensors.has(columns) && { columns: vector(columns, k) }) };
    },
    experts(name, k, n, count) {
      checkType(file, find(name, [k, n, count]));
      return { name, k, n, experts: count };
    },
    patches(name, side, channels, n) {
      checkType(file, find(name, [side, side, channels, n]));
      return { name, k: side * side * channels, n };
    },
    floats(name, k, n) {
      checkFloats(file, find(name, [k, n]));
      return { name, k, n };
    },
    transposed(name, k, n) {
      checkFloats(file, find(name, [n, k]));
      return { name, k, n };
    },
    hasShape: (name, ...shape) => sameShape(tensors.get(name)?.shape ?? [], shape),
    vector,
    ignore: (name) => void unknown.delete(name),
    unknown: () => [...unknown],
  };
}

interface Found {
  readonly tensor: GgufTensor | undefined;
  readonly shape: readonly number[];
}

function checkShape(file: GgufFile, name: string, { tensor, shape }: Found): GgufTensor {
  const expected = shape.join(" × ");
  const offset = file.dataOffset + (tensor?.offset ?? 0);
  const fault = { name: file.name, field: name, offset };
  if (!tensor) throw malformed(fault, `is missing; its shape would be ${expected}`);
  if (!sameShape(tensor.shape, shape)) {
    throw malformed(fault, `has the shape ${tensor.shape.join(" × ")}; it must be ${expected}`);
  }
  return tensor;
}

/** Dimensions of 1 at the end may be left out. */
function sameShape(left: readonly number[], right: readonly number[]): boolean {
  return [0, 1, 2, 3].every((index) => (left[index] ?? 1) === (right[index] ?? 1));
}

function checkFloats(file: GgufFile, tensor: GgufTensor): void {
  if (["F32", "F16", "BF16"].includes(tensor.typeName)) return;
  throw unsupported(file, tensor, "flint can put the elements of this tensor in order only where they are floats");
}

function checkType(file: GgufFile, tensor: GgufTensor): void {
  if (matrixTypes.has(tensor.typeName)) return;
  throw unsupported(file, tensor, "flint does not read this type");
}

function unsupported(file: GgufFile, tensor: GgufTensor, why: string): HearthError {
  const field = printable(tensor.name);
  return new HearthError("model_unsupported", `${file.name}: ${field} is of type ${tensor.typeName}; ${why}.`, {
    hint: "Use the llama engine for this model.",
    details: { field, type: tensor.typeName },
  });
}
