import type { Graph, Value } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { embedTokens, forEachLayer, parametersOf } from "./block.ts";
import type { Block } from "./block.ts";
import { linear, norm } from "./linear.ts";
import { addTokenType, hidden, rank } from "./encoder.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/**
 * BERT (arXiv 1810.04805) and its kin, e.g. XLM-RoBERTa: learned positions, biases, and a norm after each half of a layer.
 * GELU is that of the paper, by the error function; llama.cpp takes the form with tanh.
 */
export const bert: Architecture = {
  names: ["bert"],
  hyperparameters: (file, contextTokens) => readHyperparameters(file, { contextTokens, norm: "layer", encoder: true }),
  build: buildBert,
};

function buildBert(graph: Graph, model: Hyperparameters): void {
  const { tensors, embedding, trainContextTokens } = model;
  const positions = tensors.matrix("position_embd.weight", embedding, trainContextTokens);
  const embedded = graph.embedPosition(addTokenType(graph, model, embedTokens(graph, model)), positions);
  let x = norm({ graph, model }, embedded, "token_embd_norm", "required");
  forEachLayer(graph, model, (block) => {
    const attended = projectOutput(block, attend(block, project(block, x, "required")), "required");
    const middle = norm(block, graph.add(attended, x), "attn_output_norm", "required");
    x = norm(block, graph.add(feedForward(block, middle), middle), "layer_output_norm", "required");
  });
  if (model.pooling !== "rank") return hidden(graph, model, x);
  rank(graph, model, graph.outputRows(x), { activation: "tanh" });
}

function feedForward(block: Block, x: Value): Value {
  const { graph } = block;
  const inner = linear(block, x, { name: "ffn_up", width: parametersOf(block).feedForward, bias: "required" });
  return linear(block, graph.activate(inner, "gelu"), { name: "ffn_down", width: x.width, bias: "required" });
}
