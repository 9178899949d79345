/** The encoder that all families share: a vision transformer (arXiv 2010.11929) with a norm before each half of a layer. */
import type { AttentionOptions, RowsGraph, Value, Vector } from "../graph/graph.ts";
import type { VisionFamily } from "./family.ts";
import type { VisionModel } from "./figures.ts";
import { ropeBase } from "./patches.ts";

interface Build {
  readonly graph: RowsGraph;
  readonly model: VisionModel;
}

/**
 * Inputs: patches, their pixels channel by channel; and where places are learned, what each row has of its own: its
 * position, and the embedding of the class where the row stands for the whole picture.
 */
export function buildVision(graph: RowsGraph, model: VisionModel, family: VisionFamily): void {
  const { tensors, embedding, patchSize, hasClass, usedLayers } = model;
  const build = { graph, model };
  const patches = graph.input(3 * patchSize ** 2);
  const places = model.places === "learned" ? graph.input(embedding) : undefined;
  const bias = hasClass ? undefined : optionalBias(model, "v.patch_embd", embedding);
  const weight = tensors.patches("v.patch_embd.weight", patchSize, 3, embedding);
  let x = graph.linear(patches, weight, bias ? { bias } : {});
  // Of models for films: the second of two pictures that are the same.
  const second = "v.patch_embd.weight.1";
  if (tensors.has(second)) x = graph.add(x, graph.linear(patches, tensors.patches(second, patchSize, 3, embedding)));
  if (places) x = graph.add(x, places);
  if (tensors.has("v.pre_ln.weight")) x = norm(build, x, "v.pre_ln");
  for (let layer = 0; layer < usedLayers; layer++) x = buildLayer(build, x, `v.blk.${layer}`, layer);
  if (tensors.has("v.post_ln.weight")) x = norm(build, x, "v.post_ln");
  family.project(graph, model, x);
  // Layers after the last one that is used.
  for (const name of tensors.unknown()) {
    if (Number(/^v\.blk\.(\d+)\./.exec(name)?.[1] ?? -1) >= usedLayers) tensors.ignore(name);
  }
}

function buildLayer(build: Build, x: Value, path: string, layer: number): Value {
  const { graph } = build;
  const middle = graph.add(attend(build, norm(build, x, `${path}.ln1`), { path, layer }), x);
  return graph.add(feedForward(build, norm(build, middle, `${path}.ln2`), path), middle);
}

function attend(build: Build, x: Value, { path, layer }: { readonly path: string; readonly layer: number }): Value {
  const { graph, model } = build;
  const { embedding, heads, rotation, window } = model;
  const headWidth = embedding / heads;
  // Its angles come with the step.
  const rope = rotation && { dimensions: headWidth, pairing: rotation.pairing, base: ropeBase };
  const [q, k, v] = (["q", "k", "v"] as const).map((part) => linear(build, x, `${path}.attn_${part}`, embedding));
  if (!q || !k || !v) throw new RangeError("no projections");
  const options: AttentionOptions = {
    layer,
    heads,
    keyHeads: heads,
    headWidth,
    valueWidth: headWidth,
    scale: 1 / Math.sqrt(headWidth),
    bidirectional: true,
    ...(window && (layer + 1) % window.period !== 0 && { parts: true }),
    ...(rope && { rope }),
  };
  return linear(build, graph.attention(q, k, v, options), `${path}.attn_out`, embedding);
}

/** Files of an early converter have the two matrices under each other's names. */
function feedForward(build: Build, x: Value, path: string): Value {
  const { graph, model } = build;
  const { embedding, feedForward: width, tensors, activation } = model;
  if (model.gated) {
    const gate = linear(build, x, `${path}.ffn_gate`, width);
    const inner = graph.gated(gate, linear(build, x, `${path}.ffn_up`, width), activation);
    return linear(build, inner, `${path}.ffn_down`, embedding);
  }
  const swapped = tensors.hasShape(`${path}.ffn_down.weight`, embedding, width);
  const [up, down] = swapped && width !== embedding ? ["ffn_down", "ffn_up"] : ["ffn_up", "ffn_down"];
  const inner = graph.activate(linear(build, x, `${path}.${up}`, width), activation);
  return linear(build, inner, `${path}.${down}`, embedding);
}

export function linear({ graph, model }: Build, x: Value, name: string, width: number): Value {
  const bias = optionalBias(model, name, width);
  return graph.linear(x, model.tensors.matrix(`${name}.weight`, x.width, width), bias ? { bias } : {});
}

function optionalBias({ tensors }: VisionModel, name: string, length: number): Vector | undefined {
  return tensors.has(`${name}.bias`) ? tensors.vector(`${name}.bias`, length) : undefined;
}

function norm({ graph, model }: Build, x: Value, name: string): Value {
  const { tensors, epsilon, norm: kind } = model;
  const weight = tensors.vector(`${name}.weight`, x.width);
  if (kind === "rms") return graph.norm(x, { kind, epsilon, weight });
  return graph.norm(x, { kind, epsilon, weight, bias: tensors.vector(`${name}.bias`, x.width) });
}
