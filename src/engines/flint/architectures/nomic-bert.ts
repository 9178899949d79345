import type { Graph } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { embedTokens, forEachLayer } from "./block.ts";
import { gatedFeedForward } from "./feed-forward.ts";
import { norm } from "./linear.ts";
import { addTokenType, hidden, rank } from "./encoder.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/** Nomic Embed (arXiv 2402.01613): BERT with a rope in place of learned positions, and a gate in the feed-forward part. */
export const nomicBert: Architecture = {
  names: ["nomic-bert"],
  hyperparameters: (file, contextTokens) =>
    readHyperparameters(file, { contextTokens, norm: "layer", rope: "halves", encoder: true }),
  build: buildNomicBert,
};

function buildNomicBert(graph: Graph, model: Hyperparameters): void {
  const embedded = addTokenType(graph, model, embedTokens(graph, model));
  let x = norm({ graph, model }, embedded, "token_embd_norm", "required");
  forEachLayer(graph, model, (block) => {
    const attended = projectOutput(block, attend(block, project(block, x, "optional")), "optional");
    const middle = norm(block, graph.add(attended, x), "attn_output_norm", "required");
    const fed = gatedFeedForward(block, middle, { activation: "silu" });
    x = norm(block, graph.add(fed, middle), "layer_output_norm", "required");
  });
  if (model.pooling !== "rank") return hidden(graph, model, x);
  rank(graph, model, graph.outputRows(x), { activation: "tanh" });
}
