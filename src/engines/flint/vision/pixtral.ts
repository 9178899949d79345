/**
 * Pixtral (arXiv 2410.07073) and Mistral Small 3.1: pictures of any proportions, places by rotation in two directions. The
 * newer models join the patches of a square by a matrix before the two of the projector.
 */
import { failKey, integerOf } from "../../../formats/gguf/check.ts";
import type { RowsGraph, Value } from "../graph/graph.ts";
import type { Picture, Size } from "../../media/image.ts";
import type { VisionFamily } from "./family.ts";
import type { VisionFigures, VisionModel } from "./figures.ts";
import { resample } from "./resample.ts";
import { linear } from "./transformer.ts";

const merger = "mm.patch_merger.weight";

export const pixtral: VisionFamily = {
  type: "pixtral",
  read(file, { layers, embedding, heads, imageSize, patchSize }) {
    if ((embedding / heads) % 4 !== 0) {
      failKey(file, "clip.vision.attention.head_count", `is ${heads}; heads of ${embedding / heads} cannot be rotated`);
    }
    const given = integerOf(file, "clip.vision.spatial_merge_size", [1, 16]) ?? 1;
    const merge = file.tensors.some(({ name }) => name === merger) ? given : 1;
    if (imageSize % (patchSize * merge) !== 0) {
      failKey(file, "clip.vision.image_size", `is ${imageSize}, which is no multiple of ${patchSize * merge}`);
    }
    return {
      usedLayers: layers,
      merge,
      hasClass: false,
      norm: "rms",
      places: "rope",
      rotation: { pairing: "interleaved", frequencies: "alternate" },
      gated: true,
      mostTiles: 1,
      // A row of it goes channel by channel, and in each line by line.
      turned: [{ name: merger, count: embedding, rows: embedding, columns: merge ** 2 }],
    };
  },
  project(graph, model, states) {
    // The token of the vocabulary does the same.
    model.tensors.ignore("v.token_embd.img_break");
    const joined = model.tensors.has(merger) ? join(graph, model, states) : graph.outputRows(states);
    const build = { graph, model };
    graph.hidden(
      linear(build, graph.activate(linear(build, joined, "mm.1", model.width), "gelu"), "mm.2", model.width),
    );
  },
  async cut(picture, figures) {
    const tile = await resample(picture, scaledSize(picture, figures), "bicubic");
    return [{ tile, between: "[IMG_BREAK]" }, { text: "[IMG_END]" }];
  },
};

function join(graph: RowsGraph, { tensors, embedding, merge, epsilon }: VisionModel, states: Value): Value {
  const weight = tensors.vector("mm.input_norm.weight", embedding);
  const joined = graph.joinRows(graph.norm(states, { kind: "rms", epsilon, weight }), merge ** 2);
  return graph.linear(joined, tensors.floats(merger, joined.width, embedding));
}

/** Within the largest square, and up to whole patches: the sizes of transformers' `PixtralImageProcessor`. */
function scaledSize({ width, height }: Picture, { imageSize, patchSize, merge }: VisionFigures): Size {
  const step = patchSize * merge;
  const ratio = Math.max(1, Math.max(width, height) / imageSize);
  const whole = (length: number): number => Math.max(1, Math.ceil(Math.floor(length / ratio) / step)) * step;
  return { width: whole(width), height: whole(height) };
}
