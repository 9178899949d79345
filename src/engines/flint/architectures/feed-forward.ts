import type { Activation, Value } from "../graph/graph.ts";
import { parametersOf } from "./block.ts";
import type { Block } from "./block.ts";
import { linear, linearParts } from "./linear.ts";
import type { Bias } from "./linear.ts";

export interface FeedForward {
  readonly activation: Activation;
  readonly bias?: Bias;
  /** Gate and up are one matrix, gate first. */
  readonly fused?: boolean;
}

/** down(activation(gate(x)) · up(x)) */
export function gatedFeedForward(block: Block, x: Value, { activation, bias = "none", fused }: FeedForward): Value {
  const { graph, model } = block;
  const width = parametersOf(block).feedForward;
  const [gate, up] = fused
    ? linearParts(block, x, { name: "ffn_up", widths: [width, width], bias })
    : [linear(block, x, { name: "ffn_gate", width, bias }), linear(block, x, { name: "ffn_up", width, bias })];
  const inner = graph.gated(gate, up, activation);
  return linear(block, inner, { name: "ffn_down", width: model.embedding, bias });
}

export interface ExpertMix {
  readonly scoring: "softmax" | "softmax-chosen" | "sigmoid";
  readonly normalize: boolean;
}

/** Mixture of experts, each a gated feed-forward part with SiLU. */
export function mixExperts(block: Block, x: Value, { scoring, normalize }: ExpertMix): Value {
  const { graph, model, layer } = block;
  const { tensors, experts } = model;
  if (!experts) throw new RangeError("no experts");
  const width = parametersOf(block).feedForward;
  const name = (part: string): string => `blk.${layer}.ffn_${part}.weight`;
  return graph.experts(x, {
    count: experts.count,
    used: experts.used,
    router: tensors.matrix(name("gate_inp"), x.width, experts.count),
    gate: tensors.experts(name("gate_exps"), x.width, width, experts.count),
    up: tensors.experts(name("up_exps"), x.width, width, experts.count),
    down: tensors.experts(name("down_exps"), width, x.width, experts.count),
    activation: "silu",
    scoring,
    normalize,
  });
}

/** The gated feed-forward part that every token passes beside its experts. */
export function sharedExpert(block: Block, x: Value): Value {
  const { graph, model } = block;
  const width = model.experts?.sharedFeedForward ?? 0;
  const gate = linear(block, x, { name: "ffn_gate_shexp", width });
  const inner = graph.gated(gate, linear(block, x, { name: "ffn_up_shexp", width }), "silu");
  return linear(block, inner, { name: "ffn_down_shexp", width: x.width });
}
