import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Graph } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { embedTokens, forEachLayer, wantedRows } from "./block.ts";
import { gatedFeedForward } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm, normHeads } from "./linear.ts";
import { gemmaAttentionScale } from "./gemma2.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters, readNumber } from "./read.ts";

/**
 * Gemma 3 (arXiv 2503.19786): Gemma 2 with a norm of each query and key head in place of the soft cap of scores. Five
 * layers of six see a window and have a rope of their own.
 */
export const gemma3: Architecture = { names: ["gemma3"], hyperparameters: readGemma3, build: buildGemma3 };

/** The model of 27 B; see Gemma 2. */
const largeLayers = 62;

function readGemma3(file: GgufFile, contextTokens?: number): Hyperparameters {
  const window = { period: 6, optional: true, localRope: { base: 10_000 } };
  const model = readHyperparameters(file, { contextTokens, norm: "rms", rope: "halves", window });
  const logitSoftCap = readNumber(file, "gemma3.final_logit_softcapping");
  return {
    ...model,
    embeddingScale: Math.sqrt(model.embedding),
    picturesBothWays: true,
    attentionScale: gemmaAttentionScale(model, largeLayers),
    ...(logitSoftCap !== undefined && { logitSoftCap }),
  };
}

function buildGemma3(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const { q, k, v } = project(block, norm(block, x, "attn_norm"));
    const heads = { q: normHeads(block, q, "attn_q_norm"), k: normHeads(block, k, "attn_k_norm"), v };
    const attended = wantedRows(block, projectOutput(block, attend(block, heads)));
    const middle = graph.add(norm(block, attended, "post_attention_norm"), wantedRows(block, x));
    const fed = gatedFeedForward(block, norm(block, middle, "ffn_norm"), { activation: "gelu-tanh" });
    x = graph.add(norm(block, fed, "post_ffw_norm"), middle);
  });
  finish(graph, model, x, { tied: "maybe" });
}
