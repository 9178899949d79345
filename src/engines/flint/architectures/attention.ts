import type { AttentionOptions, Value } from "../graph/graph.ts";
import { parametersOf } from "./block.ts";
import type { Block } from "./block.ts";
import { linear, linearParts } from "./linear.ts";
import type { Bias } from "./linear.ts";

export interface Projections {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** Queries, keys and values, from three matrices or from one that has the rows of all. */
export function project(block: Block, x: Value, bias: Bias = "none"): Projections {
  const { model, layer } = block;
  const { heads, keyHeads } = parametersOf(block);
  const widths = { q: heads * model.headWidth, k: keyHeads * model.headWidth, v: keyHeads * model.valueWidth };
  if (!model.tensors.has(`blk.${layer}.attn_qkv.weight`)) {
    return {
      q: linear(block, x, { name: "attn_q", width: widths.q, bias }),
      k: linear(block, x, { name: "attn_k", width: widths.k, bias }),
      v: linear(block, x, { name: "attn_v", width: widths.v, bias }),
    };
  }
  const parts = [widths.q, widths.k, widths.v] as const;
  const [q, k, v] = linearParts(block, x, { name: "attn_qkv", widths: parts, bias });
  return { q, k, v };
}

/** Attention with the layer's heads, window and rope, without the output matrix. */
export function attend(block: Block, { q, k, v }: Projections): Value {
  const { graph, model, layer } = block;
  const { heads, keyHeads, window, rope } = parametersOf(block);
  const options: AttentionOptions = {
    layer,
    heads,
    keyHeads,
    headWidth: model.headWidth,
    valueWidth: model.valueWidth,
    scale: model.attentionScale,
    ...(window !== undefined && { window }),
    ...(rope && { rope }),
    ...(model.attentionSoftCap !== undefined && { softCap: model.attentionSoftCap }),
    ...(!model.causal && { bidirectional: true }),
    ...(model.picturesBothWays && { picturesBothWays: true }),
  };
  return graph.attention(q, k, v, options);
}

/** The matrix after attention. */
export function projectOutput(block: Block, x: Value, bias: Bias = "none"): Value {
  return linear(block, x, { name: "attn_output", width: block.model.embedding, bias });
}
