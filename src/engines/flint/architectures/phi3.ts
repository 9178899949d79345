import type { Graph } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { addResidual, embedTokens, forEachLayer, wantedRows } from "./block.ts";
import { gatedFeedForward } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/**
 * Phi-3 (arXiv 2404.14219) and Phi-4: queries, keys and values in one matrix, gate and up in one, LongRoPE. As in
 * llama.cpp every layer sees all tokens: the windows in the headers of these models are not to be relied on.
 */
export const phi3: Architecture = {
  names: ["phi3"],
  hyperparameters: (file, contextTokens) =>
    readHyperparameters(file, { contextTokens, norm: "rms", rope: "halves", ropeFactors: true }),
  build: buildPhi3,
};

function buildPhi3(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const heads = project(block, norm(block, x, "attn_norm"));
    const attended = wantedRows(block, projectOutput(block, attend(block, heads)));
    const middle = addResidual(block, attended, wantedRows(block, x));
    const fed = gatedFeedForward(block, norm(block, middle, "ffn_norm"), { activation: "silu", fused: true });
    x = addResidual(block, fed, middle);
  });
  finish(graph, model, x, { tied: "maybe" });
}
