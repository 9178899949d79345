import type { Graph, Value } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { addResidual, embedTokens, forEachLayer, wantedRows } from "./block.ts";
import type { Block } from "./block.ts";
import { gatedFeedForward, mixExperts } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/**
 * Llama (arXiv 2302.13971, 2307.09288, 2407.21783), Mistral (2310.06825) without its window, as llama.cpp, and Mixtral
 * (2401.04088), and families whose models have the same graph. Biases where the file has them.
 */
export const llama: Architecture = {
  names: ["llama", "internlm2", "xverse", "ernie4_5"],
  hyperparameters: (file, contextTokens) =>
    readHyperparameters(file, { contextTokens, norm: "rms", rope: "interleaved", ropeFactors: true }),
  build: buildLlama,
};

/** EXAONE 3 (arXiv 2408.03541): llama with rotation of halves. */
export const exaone: Architecture = {
  names: ["exaone"],
  hyperparameters: (file, contextTokens) =>
    readHyperparameters(file, { contextTokens, norm: "rms", rope: "halves", ropeFactors: true }),
  build: buildLlama,
};

/** SmolLM3: llama, but every fourth layer has no positions (NoPE, arXiv 2501.18795). */
export const smollm3: Architecture = {
  names: ["smollm3"],
  hyperparameters: (file, contextTokens) =>
    readHyperparameters(file, {
      contextTokens,
      norm: "rms",
      rope: "interleaved",
      withoutRope: (layer) => (layer + 1) % 4 === 0,
    }),
  build: buildLlama,
};

function buildLlama(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const q = project(block, norm(block, x, "attn_norm"), "optional");
    const attended = wantedRows(block, projectOutput(block, attend(block, q), "optional"));
    const middle = addResidual(block, attended, wantedRows(block, x));
    x = addResidual(block, feedForward(block, norm(block, middle, "ffn_norm")), middle);
  });
  finish(graph, model, x, { tied: "maybe" });
}

function feedForward(block: Block, x: Value): Value {
  if (block.model.experts) return mixExperts(block, x, { scoring: "softmax", normalize: true });
  return gatedFeedForward(block, x, { activation: "silu", bias: "optional" });
}
