import { HearthError } from "../../../error.ts";
import { stringOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Activation, Graph } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { embedTokens, forEachLayer } from "./block.ts";
import type { Block } from "./block.ts";
import { gatedFeedForward } from "./feed-forward.ts";
import { norm } from "./linear.ts";
import { hidden, rank } from "./encoder.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/**
 * ModernBERT (arXiv 2412.13663): norms before each half of a layer, gated feed-forward with both matrices in one, and two
 * layers of three that see a window to both sides, with a rope of their own. The first layer has no norm of its input.
 */
export const modernBert: Architecture = {
  names: ["modern-bert"],
  hyperparameters: readModernBert,
  build: buildModernBert,
};

const activations: ReadonlyMap<string, Activation> = new Map([
  ["gelu", "gelu"],
  ["geglu", "gelu"],
  ["silu", "silu"],
  ["swiglu", "silu"],
]);

function readModernBert(file: GgufFile, contextTokens?: number): Hyperparameters {
  const window = { period: 3, globalFirst: true, optional: true, localRope: {} };
  const model = readHyperparameters(file, { contextTokens, norm: "layer", rope: "halves", encoder: true, window });
  return { ...model, activation: readActivation(file) };
}

function readActivation(file: GgufFile): Activation {
  const name = stringOf(file, "modern-bert.hidden_activation") ?? "gelu";
  const activation = activations.get(name);
  if (activation) return activation;
  throw new HearthError("model_unsupported", `${file.name} has the activation "${name}", which flint does not know.`, {
    hint: "Use the llama engine for this model.",
    details: { field: "modern-bert.hidden_activation" },
  });
}

function buildModernBert(graph: Graph, model: Hyperparameters): void {
  const activation = model.activation ?? "gelu";
  let x = norm({ graph, model }, embedTokens(graph, model), "token_embd_norm");
  forEachLayer(graph, model, (block) => {
    const input = isNormed(block) ? norm(block, x, "attn_norm") : x;
    const middle = graph.add(projectOutput(block, attend(block, project(block, input))), x);
    x = graph.add(gatedFeedForward(block, norm(block, middle, "ffn_norm"), { activation, fused: true }), middle);
  });
  x = norm({ graph, model }, x, "output_norm");
  if (model.pooling !== "rank") return hidden(graph, model, x);
  rank(graph, model, graph.meanRows(x), { activation, norm: true });
}

function isNormed({ model, layer }: Block): boolean {
  return layer > 0 || model.tensors.has("blk.0.attn_norm.weight");
}
