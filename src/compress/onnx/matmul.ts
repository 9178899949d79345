/** Products of activations and a matrix of weights. */
import { elementCount } from "../../formats/onnx/types.ts";
import type { OnnxNode, OnnxTensor } from "../../formats/onnx/types.ts";
import { floatOf, intOf, isOnnx } from "./node.ts";
import type { Place } from "./rewrite.ts";

export interface MatMul {
  readonly input: string;
  readonly output: string;
  readonly weight: OnnxTensor;
  /** Of the matrix by which the input is multiplied: sizes of the input and of the output. */
  readonly rows: number;
  readonly columns: number;
  /** Whether the tensor has columns and rows the other way round. */
  readonly transpose: boolean;
  readonly bias: string | undefined;
}

/** Smaller matrices are not worth the nodes. */
const leastWeights = 1024;

/** A MatMul, or a Gemm that is one with a bias; undefined: the node is neither, or its second factor is no weight. */
export function asMatMul(node: OnnxNode, weightOf: Place["weight"]): MatMul | undefined {
  const isGemm = isOnnx(node, "Gemm") && isPlain(node);
  if (!isGemm && !isOnnx(node, "MatMul")) return undefined;
  const [input = "", name = "", bias = ""] = node.inputs;
  const weight = weightOf(name);
  if (!weight || weight.shape.length !== 2 || elementCount(weight.shape) < leastWeights) return undefined;
  const transpose = isGemm && intOf(node, "transB", 0) === 1;
  const [first = 0, second = 0] = weight.shape;
  return {
    input,
    output: node.outputs[0] ?? "",
    weight,
    rows: transpose ? second : first,
    columns: transpose ? first : second,
    transpose,
    bias: bias === "" ? undefined : bias,
  };
}

/** Without factors of its own, and with the input as it is. */
function isPlain(node: OnnxNode): boolean {
  return floatOf(node, "alpha", 1) === 1 && floatOf(node, "beta", 1) === 1 && intOf(node, "transA", 0) === 0;
}
