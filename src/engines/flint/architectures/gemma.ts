import type { GgufFile } from "../../../formats/gguf/types.ts";
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
 * Gemma (arXiv 2403.08295): llama with scaled embeddings, rotation of halves, GELU, and heads of their own width. The
 * weights of norms are stored with the 1 that the paper adds.
 */
export const gemma: Architecture = { names: ["gemma"], hyperparameters: readGemma, build: buildGemma };

function readGemma(file: GgufFile, contextTokens?: number): Hyperparameters {
  const model = readHyperparameters(file, { contextTokens, norm: "rms", rope: "halves" });
  return { ...model, embeddingScale: Math.sqrt(model.embedding) };
}

function buildGemma(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const heads = project(block, norm(block, x, "attn_norm"));
    const attended = wantedRows(block, projectOutput(block, attend(block, heads)));
    const middle = addResidual(block, attended, wantedRows(block, x));
    const fed = gatedFeedForward(block, norm(block, middle, "ffn_norm"), { activation: "gelu-tanh" });
    x = addResidual(block, fed, middle);
  });
  finish(graph, model, x, { tied: "always" });
}
