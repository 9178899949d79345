import type { Graph, Value } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { embedTokens, forEachLayer, wantedRows } from "./block.ts";
import type { Block } from "./block.ts";
import { gatedFeedForward } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/**
 * OLMo 2 (arXiv 2501.00656): norms only after attention and feed-forward, and of whole queries and keys. OLMo 3 has the
 * same name: three layers of four see a window, with the rope's scaling left out.
 */
export const olmo2: Architecture = {
  names: ["olmo2"],
  hyperparameters: (file, contextTokens) =>
    readHyperparameters(file, {
      contextTokens,
      norm: "rms",
      rope: "halves",
      window: { period: 4, optional: true, localRope: {} },
    }),
  build: buildOlmo2,
};

function buildOlmo2(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const attended = wantedRows(block, attention(block, x));
    const middle = graph.add(norm(block, attended, "post_attention_norm"), wantedRows(block, x));
    const fed = gatedFeedForward(block, middle, { activation: "silu" });
    x = graph.add(norm(block, fed, "post_ffw_norm"), middle);
  });
  finish(graph, model, x, { tied: "never" });
}

function attention(block: Block, x: Value): Value {
  const { q, k, v } = project(block, x);
  const heads = { q: norm(block, q, "attn_q_norm"), k: norm(block, k, "attn_k_norm"), v };
  return projectOutput(block, attend(block, heads));
}
