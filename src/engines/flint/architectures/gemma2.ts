import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Graph } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { embedTokens, forEachLayer, wantedRows } from "./block.ts";
import { gatedFeedForward } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters, readNumber } from "./read.ts";

/**
 * Gemma 2 (arXiv 2408.00118): every other layer sees a window, scores and logits have a soft cap, and both halves of a
 * layer a norm before and after. The weights of norms are stored with the 1 that the paper adds.
 */
export const gemma2: Architecture = { names: ["gemma2"], hyperparameters: readGemma2, build: buildGemma2 };

/** The model of 27 B is told by its layers; its scores are scaled by the width of a head as if heads made up the embedding. */
const largeLayers = 46;

function readGemma2(file: GgufFile, contextTokens?: number): Hyperparameters {
  const window = { period: 2, size: 4096 };
  const model = readHyperparameters(file, { contextTokens, norm: "rms", rope: "halves", window });
  return {
    ...model,
    embeddingScale: Math.sqrt(model.embedding),
    attentionScale: gemmaAttentionScale(model, largeLayers),
    attentionSoftCap: readNumber(file, "gemma2.attn_logit_softcapping") ?? 50,
    logitSoftCap: readNumber(file, "gemma2.final_logit_softcapping") ?? 30,
  };
}

export function gemmaAttentionScale({ embedding, headWidth, layers }: Hyperparameters, large: number): number {
  const heads = layers[0]?.heads ?? 1;
  return 1 / Math.sqrt(layers.length === large ? Math.floor(embedding / heads) : headWidth);
}

function buildGemma2(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const heads = project(block, norm(block, x, "attn_norm"));
    const attended = wantedRows(block, projectOutput(block, attend(block, heads)));
    const middle = graph.add(norm(block, attended, "post_attention_norm"), wantedRows(block, x));
    const fed = gatedFeedForward(block, norm(block, middle, "ffn_norm"), { activation: "gelu-tanh" });
    x = graph.add(norm(block, fed, "post_ffw_norm"), middle);
  });
  finish(graph, model, x, { tied: "always" });
}
