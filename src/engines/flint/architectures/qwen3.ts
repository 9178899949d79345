import type { Graph, Value } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { addResidual, embedTokens, forEachLayer, wantedRows } from "./block.ts";
import type { Block } from "./block.ts";
import { gatedFeedForward, mixExperts } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm, normHeads } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readQwen } from "./qwen2.ts";

/** Qwen3 (arXiv 2505.09388): a norm of each query and key head in place of the biases of Qwen2. */
export const qwen3: Architecture = { names: ["qwen3"], hyperparameters: readQwen, build: buildQwen3 };

/** The same with experts, none of them shared, whose weights sum to one. */
export const qwen3moe: Architecture = { names: ["qwen3moe"], hyperparameters: readQwen, build: buildQwen3 };

function buildQwen3(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const { q, k, v } = project(block, norm(block, x, "attn_norm"));
    const heads = { q: normHeads(block, q, "attn_q_norm"), k: normHeads(block, k, "attn_k_norm"), v };
    const attended = wantedRows(block, projectOutput(block, attend(block, heads)));
    const middle = addResidual(block, attended, wantedRows(block, x));
    x = addResidual(block, feedForward(block, norm(block, middle, "ffn_norm")), middle);
  });
  finish(graph, model, x, { tied: "maybe" });
}

function feedForward(block: Block, x: Value): Value {
  if (block.model.experts) return mixExperts(block, x, { scoring: "softmax", normalize: true });
  return gatedFeedForward(block, x, { activation: "silu" });
}
