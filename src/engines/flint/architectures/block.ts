/** One layer at a time: what a forward pass goes along. */
import type { Graph, Value } from "../graph/graph.ts";
import type { Hyperparameters, LayerParameters } from "./hyperparameters.ts";

/** One layer of a model. */
export interface Block {
  readonly graph: Graph;
  readonly model: Hyperparameters;
  readonly layer: number;
}

/** Token embeddings. */
export function embedTokens(graph: Graph, model: Hyperparameters): Value {
  const table = model.tensors.matrix("token_embd.weight", model.embedding, model.vocabularySize);
  return model.embeddingScale === undefined ? graph.embed(table) : graph.embed(table, model.embeddingScale);
}

/** All layers, first to last. What `run` makes last is what the layer hands on. */
export function forEachLayer(graph: Graph, model: Hyperparameters, run: (block: Block) => void): void {
  graph.betweenLayers?.();
  for (let layer = 0; layer < model.layers.length; layer++) {
    run({ graph, model, layer });
    graph.betweenLayers?.();
  }
}

export function parametersOf({ model, layer }: Block): LayerParameters {
  const parameters = model.layers[layer];
  if (!parameters) throw new RangeError(`no layer ${layer}`);
  return parameters;
}

/** Adds what a half of a layer gives to what went into it. */
export function addResidual({ graph, model }: Block, x: Value, residual: Value): Value {
  return graph.add(model.residualScale === undefined ? x : graph.scale(x, model.residualScale), residual);
}

/** After the attention of the last layer, only the rows whose output was asked for go on; a pooling takes them all. */
export function wantedRows({ graph, model, layer }: Block, x: Value): Value {
  const isLast = layer === model.layers.length - 1;
  return isLast && model.pooling === "none" ? graph.outputRows(x) : x;
}
