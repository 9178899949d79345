/** The pieces of a transformer that families share. Each names the tensors of its layer as GGUF does. */
import type { Activation, AttentionOptions, Graph, LinearOptions, Value, Vector } from "../graph/graph.ts";
import type { Hyperparameters, LayerParameters } from "./hyperparameters.ts";

/** One layer of a model. */
export interface Block {
  readonly graph: Graph;
  readonly model: Hyperparameters;
  readonly layer: number;
}

/** Whether a tensor's bias is there. */
export type Bias = "none" | "optional" | "required";

/** Token embeddings. */
export function embedTokens(graph: Graph, model: Hyperparameters): Value {
  const table = model.tensors.matrix("token_embd.weight", model.embedding, model.vocabularySize);
  return model.embeddingScale === undefined ? graph.embed(table) : graph.embed(table, model.embeddingScale);
}

/** All layers, first to last. */
export function forEachLayer(graph: Graph, model: Hyperparameters, run: (block: Block) => void): void {
  for (let layer = 0; layer < model.layers.length; layer++) run({ graph, model, layer });
}

export function parametersOf({ model, layer }: Block): LayerParameters {
  const parameters = model.layers[layer];
  if (!parameters) throw new RangeError(`no layer ${layer}`);
  return parameters;
}

/** Norm of whole rows by `blk.<layer>.<name>`, or by `<name>` where there is no layer. */
export function norm(
  block: Omit<Block, "layer"> & { layer?: number },
  x: Value,
  name: string,
  bias: Bias = "none",
): Value {
  const path = block.layer === undefined ? name : `blk.${block.layer}.${name}`;
  return block.graph.norm(x, {
    ...block.model.norm,
    weight: block.model.tensors.vector(`${path}.weight`, x.width),
    ...biasOf(block.model, { name: path, length: x.width, bias }),
  });
}

/** Norm of each head by a weight that all heads share. */
export function normHeads(block: Block, x: Value, name: string): Value {
  const { graph, model, layer } = block;
  const weight = model.tensors.vector(`blk.${layer}.${name}.weight`, model.headWidth);
  return graph.norm(x, { ...model.norm, weight, headWidth: model.headWidth });
}

export interface Linear {
  readonly name: string;
  /** Output width. */
  readonly width: number;
  readonly bias?: Bias;
}

/** `blk.<layer>.<name>` times x. */
export function linear({ graph, model, layer }: Block, x: Value, { name, width, bias }: Linear): Value {
  const path = `blk.${layer}.${name}`;
  const weight = model.tensors.matrix(`${path}.weight`, x.width, width);
  return graph.linear(x, weight, biasOf(model, { name: path, length: width, bias: bias ?? "none" }));
}

export interface BiasName {
  readonly name: string;
  readonly length: number;
  readonly bias: Bias;
}

export function biasOf({ tensors }: Hyperparameters, { name, length, bias }: BiasName): { readonly bias?: Vector } {
  const path = `${name}.bias`;
  if (bias === "none" || (bias === "optional" && !tensors.has(path))) return {};
  return { bias: tensors.vector(path, length) };
}

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

interface LinearParts<Widths> {
  readonly name: string;
  readonly widths: Widths;
  readonly bias: Bias;
}

/** A matrix whose rows are those of several. */
function linearParts<const Widths extends readonly number[]>(
  { graph, model, layer }: Block,
  x: Value,
  { name, widths, bias }: LinearParts<Widths>,
): { [Part in keyof Widths]: Value } {
  const path = `blk.${layer}.${name}`;
  const total = widths.reduce((sum, width) => sum + width, 0);
  const weight = model.tensors.matrix(`${path}.weight`, x.width, total);
  const all = biasOf(model, { name: path, length: total, bias }).bias;
  let row = 0;
  const part = (width: number): Value => {
    const options: LinearOptions = all ? { bias: { ...all, start: row, length: width } } : {};
    const value = graph.linear(x, { ...weight, row, n: width }, options);
    row += width;
    return value;
  };
  return widths.map(part) as { [Part in keyof Widths]: Value };
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
  };
  return graph.attention(q, k, v, options);
}

/** The matrix after attention. */
export function projectOutput(block: Block, x: Value, bias: Bias = "none"): Value {
  return linear(block, x, { name: "attn_output", width: block.model.embedding, bias });
}

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

/** Adds what a half of a layer gives to what went into it. */
export function addResidual({ graph, model }: Block, x: Value, residual: Value): Value {
  return graph.add(model.residualScale === undefined ? x : graph.scale(x, model.residualScale), residual);
}

/** After the attention of the last layer, only the rows whose output was asked for go on; a pooling takes them all. */
export function wantedRows({ graph, model, layer }: Block, x: Value): Value {
  const isLast = layer === model.layers.length - 1;
  return isLast && model.pooling === "none" ? graph.outputRows(x) : x;
}

export interface Head {
  /** Of the last norm. */
  readonly bias?: Bias;
  /** `never`: the output matrix must be there. `maybe`: it is that of the embeddings where it is missing. `always`: it is. */
  readonly tied: "never" | "maybe" | "always";
}

/** The last norm, and logits or, for models that pool, hidden states. */
export function finish(graph: Graph, model: Hyperparameters, x: Value, { bias, tied }: Head): void {
  const normed = norm({ graph, model }, x, "output_norm", bias);
  const { tensors, embedding, vocabularySize, logitScale: scale, logitSoftCap: softCap } = model;
  const isOwn = tied === "never" || (tied === "maybe" && tensors.has("output.weight"));
  const head = tensors.matrix(isOwn ? "output.weight" : "token_embd.weight", embedding, vocabularySize);
  if (model.pooling !== "none") return graph.hidden(normed);
  graph.logits(normed, head, { ...(scale !== undefined && { scale }), ...(softCap !== undefined && { softCap }) });
}
