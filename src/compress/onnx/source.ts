import { statSync } from "node:fs";
import { HearthError } from "../../error.ts";
import { graphsOf } from "../../formats/onnx/check-functions.ts";
import type { OpenOnnx } from "../../formats/onnx/read.ts";
import type { OnnxGraph, OnnxModel } from "../../formats/onnx/types.ts";

/** Operators by which a model shows that its weights are codes. */
const quantized: ReadonlySet<string> = new Set([
  "DequantizeLinear",
  "MatMulInteger",
  "ConvInteger",
  "QLinearMatMul",
  "QLinearConv",
  "MatMulNBits",
  "MatMulBnb4",
  "DynamicQuantizeMatMul",
  "MatMulIntegerToFloat",
  "GatherBlockQuantized",
]);

/** Throws `bad_request` for a model that is quantized already. */
export function checkSource({ graph }: OnnxModel, name: string): void {
  const found = findOperator(graph);
  if (found === undefined) return;
  throw new HearthError("bad_request", `${name} is quantized already: it has ${found}.`, {
    hint: "Start from the model with float32 weights.",
    details: { operator: found },
  });
}

function findOperator({ nodes }: OnnxGraph): string | undefined {
  for (const node of nodes) {
    if (quantized.has(node.operator)) return node.operator;
    for (const graph of graphsOf(node)) {
      const found = findOperator(graph);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Bytes of a model and of the files with its tensors. */
export function modelSize({ fileBytes, external }: Pick<OpenOnnx, "fileBytes" | "external">): number {
  return [...external.values()].reduce((sum, path) => sum + statSync(path).size, fileBytes);
}
