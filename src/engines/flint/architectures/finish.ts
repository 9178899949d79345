import type { Graph, Value } from "../graph/graph.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { norm } from "./linear.ts";
import type { Bias } from "./linear.ts";

export interface Head {
  /** Of the last norm. */
  readonly bias?: Bias;
  /** `never`: the output matrix must be there. `maybe`: it is that of the embeddings where it is missing. `always`: it is. */
  readonly tied: "never" | "maybe" | "always";
}

/** The last norm, and logits or, for models that pool, hidden states. */
export function finish(graph: Graph, model: Hyperparameters, x: Value, { bias, tied }: Head): void {
  const normed = norm({ graph, model }, x, "output_norm", bias);
  const { tensors, embedding, vocabularySize, logitScale: scale, logitSoftCap: softCap } = model;
  const isOwn = tied === "never" || (tied === "maybe" && tensors.has("output.weight"));
  const head = tensors.matrix(isOwn ? "output.weight" : "token_embd.weight", embedding, vocabularySize);
  if (model.pooling !== "none") return graph.hidden(normed);
  graph.logits(normed, head, { ...(scale !== undefined && { scale }), ...(softCap !== undefined && { softCap }) });
}
