/** What the encoders share. */
import type { Activation, Graph, Value } from "../graph/graph.ts";
import { biasOf } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** Adds the row of token type 0, which all tokens have. */
export function addTokenType(graph: Graph, model: Hyperparameters, x: Value): Value {
  const name = "token_types.weight";
  if (!model.tensors.has(name)) return x;
  return graph.embedConstant(x, model.tensors.matrix(name, x.width, model.encoder?.tokenTypes ?? 0), 0);
}

export interface RankHead {
  /** Between the two matrices. */
  readonly activation: Activation;
  /** A norm may follow it. */
  readonly norm?: boolean;
}

/** Turns one row for each text into its scores, with the matrix `cls`, if it is there, and `cls.output`. */
export function rank(graph: Graph, model: Hyperparameters, x: Value, { activation, norm }: RankHead): void {
  const { tensors, embedding } = model;
  const labels = model.encoder?.labels ?? 1;
  let pooled = x;
  if (tensors.has("cls.weight")) {
    const weight = tensors.matrix("cls.weight", embedding, embedding);
    const bias = biasOf(model, { name: "cls", length: embedding, bias: "optional" });
    pooled = graph.activate(graph.linear(pooled, weight, bias), activation);
  }
  if (norm && tensors.has("cls.norm.weight")) {
    pooled = graph.norm(pooled, { ...model.norm, weight: tensors.vector("cls.norm.weight", embedding) });
  }
  const bias = biasOf(model, { name: "cls.output", length: labels, bias: "optional" });
  graph.logits(pooled, tensors.matrix("cls.output.weight", embedding, labels), bias);
}

/** The result of a model that does not rank; it may have kept a head for it. */
export function hidden(graph: Graph, { tensors }: Hyperparameters, x: Value): void {
  for (const name of ["cls", "cls.output", "cls.norm"]) {
    tensors.ignore(`${name}.weight`);
    tensors.ignore(`${name}.bias`);
  }
  graph.hidden(x);
}
