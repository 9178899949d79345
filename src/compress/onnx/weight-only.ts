/** INT4 weights for activations that stay floats: `MatMulNBits` of ONNX Runtime. */
import type { OnnxNode } from "../../formats/onnx/types.ts";
import type { BlockOptions } from "./blocks.ts";
import { gatherRows } from "./gather.ts";
import { asMatMul } from "./matmul.ts";
import type { MatMul } from "./matmul.ts";
import { int, isOnnx, node } from "./node.ts";
import type { Place, Rule } from "./rewrite.ts";
import type { Weights } from "./weights.ts";

/** Tables of embeddings get 8 bits: single rows are read, and there is no sum in which errors cancel. */
export function weightOnlyRule(weights: Weights, options: BlockOptions): Rule {
  return (found, place) => {
    if (isOnnx(found, "Gather")) return gatherRows(found, place, { weights, perChannel: true });
    const product = asMatMul(found, place.weight);
    if (product?.weight.type !== "float32" && product?.weight.type !== "float16") return undefined;
    return multiply(product, place, { weights, ...options });
  };
}

interface Work extends BlockOptions {
  readonly weights: Weights;
}

function multiply(product: MatMul, place: Place, { weights, blockSize, symmetric }: Work): readonly OnnxNode[] {
  const { weight, rows, columns, transpose, input, output, bias } = product;
  const names = weights.blocks(weight, place, { rows: transpose ? columns : rows, transpose, blockSize, symmetric });
  const result = bias === undefined ? output : place.fresh(`${output}_product`);
  const zeros = names.zeros === undefined ? [] : [names.zeros];
  return [
    node({
      operator: "MatMulNBits",
      domain: "com.microsoft",
      inputs: [input, names.codes, names.scales, ...zeros],
      outputs: [result],
      attributes: {
        K: int(rows),
        N: int(columns),
        bits: int(4),
        block_size: int(blockSize),
      },
    }),
    ...(bias === undefined ? [] : [node({ operator: "Add", inputs: [result, bias], outputs: [output] })]),
  ];
}
