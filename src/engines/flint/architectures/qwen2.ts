import { at } from "../../../formats/gguf/attention.ts";
import { integersOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Graph, Value } from "../graph/graph.ts";
import type { Architecture } from "./architecture.ts";
import { attend, project, projectOutput } from "./attention.ts";
import { addResidual, embedTokens, forEachLayer, wantedRows } from "./block.ts";
import type { Block } from "./block.ts";
import { gatedFeedForward, mixExperts, sharedExpert } from "./feed-forward.ts";
import { finish } from "./finish.ts";
import { linear, norm } from "./linear.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { readHyperparameters } from "./read.ts";

/** Qwen2 and Qwen2.5 (arXiv 2407.10671): llama with rotation of halves and a bias on queries, keys and values. */
export const qwen2: Architecture = {
  names: ["qwen2"],
  hyperparameters: readQwen,
  build: buildQwen2,
};

/** The language model of Qwen2-VL and Qwen2.5-VL (arXiv 2409.12191, 2502.13923): Qwen2 with places in three directions. */
export const qwen2vl: Architecture = {
  names: ["qwen2vl"],
  hyperparameters: (file, contextTokens) =>
    readHyperparameters(file, { contextTokens, norm: "rms", rope: "halves", ropeSections: true }),
  build: buildQwen2,
};

/** Qwen2-MoE: experts whose weights keep their sum below one, and a shared expert with a gate of its own. */
export const qwen2moe: Architecture = { names: ["qwen2moe"], hyperparameters: readQwen, build: buildQwen2 };

export function readQwen(file: GgufFile, contextTokens?: number): Hyperparameters {
  const model = readHyperparameters(file, { contextTokens, norm: "rms", rope: "halves" });
  const { architecture, experts, layers } = model;
  if (!experts) return model;
  const dense = at(integersOf(file, `${architecture}.feed_forward_length`, [0, 2 ** 24]) ?? 0, 0);
  const sharedFeedForward = experts.sharedFeedForward || dense;
  const isSplit = !file.metadata.has(`${architecture}.expert_feed_forward_length`);
  // Early files have one width, that of all experts that a token uses.
  const feedForward = Math.floor(dense / experts.used);
  return {
    ...model,
    experts: { ...experts, sharedFeedForward },
    layers: isSplit ? layers.map((layer) => ({ ...layer, feedForward })) : layers,
  };
}

function buildQwen2(graph: Graph, model: Hyperparameters): void {
  let x = embedTokens(graph, model);
  forEachLayer(graph, model, (block) => {
    const heads = project(block, norm(block, x, "attn_norm"), "required");
    const attended = wantedRows(block, projectOutput(block, attend(block, heads), "optional"));
    const middle = addResidual(block, attended, wantedRows(block, x));
    x = addResidual(block, feedForward(block, norm(block, middle, "ffn_norm")), middle);
  });
  finish(graph, model, x, { tied: model.experts ? "never" : "maybe" });
}

function feedForward(block: Block, x: Value): Value {
  const { graph, model } = block;
  if (!model.experts) return gatedFeedForward(block, x, { activation: "silu" });
  const mixed = mixExperts(block, x, { scoring: "softmax", normalize: false });
  const gate = linear(block, x, { name: "ffn_gate_inp_shexp", width: 1 });
  return graph.add(mixed, graph.gated(gate, sharedExpert(block, x), "sigmoid"));
}
