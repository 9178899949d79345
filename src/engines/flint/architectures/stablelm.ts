import { booleanOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Graph, Value } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { embedTokens, forEachLayer, parametersOf, wantedRows } from "./block.ts";
import type { Block } from "./block.ts";
import { gatedFeedForward } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { norm } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/**
 * StableLM 2 (arXiv 2402.17834): LayerNorm, and a rope for a part of each head. The model of 12 B has a norm for each
 * query and key head, and attention and feed-forward read the same input.
 */
export const stablelm: Architecture = {
  names: ["stablelm"],
  hyperparameters: readStablelm,
  build: buildStablelm,
};

function readStablelm(file: GgufFile, contextTokens?: number): Hyperparameters {
  const parallel = booleanOf(file, "stablelm.use_parallel_residual");
  const model = readHyperparameters(file, { contextTokens, norm: "layer", rope: "halves" });
  return { ...model, ...(parallel !== undefined && { parallel }) };
}

function buildStablelm(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const normed = norm(block, x, "attn_norm", "required");
    const { q, k, v } = project(block, normed, "optional");
    const heads = { q: normEachHead(block, q, "q"), k: normEachHead(block, k, "k"), v };
    const attended = wantedRows(block, projectOutput(block, attend(block, heads)));
    const middle = graph.add(attended, wantedRows(block, x));
    const isParallel = model.parallel !== false && !model.tensors.has(`blk.${block.layer}.ffn_norm.weight`);
    const input = isParallel ? wantedRows(block, normed) : norm(block, middle, "ffn_norm", "optional");
    x = graph.add(gatedFeedForward(block, input, { activation: "silu" }), middle);
  });
  finish(graph, model, x, { bias: "required", tied: "never" });
}

/** A norm whose weights differ from head to head; not every model has it. */
function normEachHead(block: Block, x: Value, part: "q" | "k"): Value {
  const { graph, model, layer } = block;
  const { heads, keyHeads } = parametersOf(block);
  const name = `blk.${layer}.attn_${part}_norm.weight`;
  if (!model.tensors.has(name)) return x;
  const weight = model.tensors.vector(name, x.width, part === "q" ? heads : keyHeads);
  return graph.norm(x, { ...model.norm, weight, headWidth: model.headWidth });
}
