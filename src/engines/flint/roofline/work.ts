import { readModelHeader } from "../../../formats/model.ts";
import { checkModel } from "../check.ts";
import type { Graph, Matrix } from "../graph/graph.ts";
import { createShapes } from "../graph/shapes.ts";
import { matrixBytes } from "../weights/layout.ts";
import { loadTypes } from "../weights/load-types.ts";
import { layoutOf } from "../weights/pack.ts";

/** What the matrices of a model ask of a machine. Attention comes on top, and grows with the length of the text. */
export interface ModelWork {
  /** Weights that are read for one token of one sequence. */
  readonly decodeBytes: number;
  /** Multiplications and additions of one token of a prompt, whose logits nobody wants. */
  readonly prefillOperations: number;
}

/** Adds up the matrices of the forward pass. Throws what `checkModel` throws. */
export async function modelWork(path: string, name: string): Promise<ModelWork> {
  const file = await readModelHeader(path, { name, weights: loadTypes(undefined) });
  const { architecture, hyperparameters } = checkModel(file);
  const types = new Map(file.tensors.map((tensor) => [tensor.name, tensor.typeName]));
  const work = { decodeBytes: 0, prefillOperations: 0 };
  const count: CountMatrix = (weight, { times, outputOnly }) => {
    work.decodeBytes += matrixBytes(layoutOf(types.get(weight.name) ?? "F32"), weight) * times;
    if (!outputOnly) work.prefillOperations += 2 * weight.k * weight.n * times;
  };
  architecture.build(counting(count), hyperparameters);
  return work;
}

type CountMatrix = (weight: Matrix, how: { readonly times: number; readonly outputOnly: boolean }) => void;

/** A graph that tells of each matrix that a row passes. */
function counting(count: CountMatrix): Graph {
  const shapes = createShapes();
  let outputOnly = false;
  return {
    ...shapes,
    linear(x, weight, options) {
      count(weight, { times: 1, outputOnly });
      return shapes.linear(x, weight, options);
    },
    experts(x, options) {
      const { router, gate, up, down, used } = options;
      count(router, { times: 1, outputOnly });
      for (const matrix of gate ? [gate, up, down] : [up, down]) count(matrix, { times: used, outputOnly });
      return shapes.experts(x, options);
    },
    outputRows(x) {
      outputOnly = true;
      return shapes.outputRows(x);
    },
    logits(x, weight, options) {
      count(weight, { times: 1, outputOnly });
      shapes.logits(x, weight, options);
    },
  };
}
