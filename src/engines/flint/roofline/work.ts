import { readGguf } from "../../../formats/gguf/read.ts";
import { checkModel } from "../check.ts";
import type { Matrix } from "../graph/graph.ts";
import { record } from "../graph/record.ts";
import type { Layout } from "../weights/layout.ts";
import { matrixBytes } from "../weights/layout.ts";
import { layoutOf } from "../weights/pack.ts";

/** What the matrices of a model ask of a machine. Attention comes on top, and grows with the length of the text. */
export interface ModelWork {
  /** Weights that are read for one token of one sequence. */
  readonly decodeBytes: number;
  /** Multiplications and additions of one token of a prompt, whose logits nobody wants. */
  readonly prefillOperations: number;
}

/** Adds up the recorded forward pass. Throws what `checkModel` throws. */
export async function modelWork(path: string, name: string): Promise<ModelWork> {
  const file = await readGguf(path, { name });
  const { architecture, hyperparameters } = checkModel(file);
  const types = new Map(file.tensors.map((tensor) => [tensor.name, tensor.typeName]));
  const layout = (matrix: Matrix): Layout => layoutOf(types.get(matrix.name) ?? "F32");
  const { ops, values, expertsUsed } = record((graph) => architecture.build(graph, hyperparameters), layout);
  let decodeBytes = 0;
  let prefillOperations = 0;
  for (const op of ops) {
    if (op.kind !== "matmul") continue;
    const { weight } = op;
    const times = weight.experts === undefined ? 1 : expertsUsed;
    decodeBytes += matrixBytes(layout(weight), weight) * times;
    const rows = values[op.out]?.rows;
    if (rows === "all" || rows === "slots") prefillOperations += 2 * weight.k * weight.n * times;
  }
  return { decodeBytes, prefillOperations };
}
