/**
 * Gemma 3 (arXiv 2503.19786): one square tile through SigLIP, the mean of each square of patches, a norm, a matrix. The
 * picture is stretched to the square, as its processor does.
 */
import { integerOf } from "../../../formats/gguf/check.ts";
import type { VisionFamily } from "./family.ts";
import { resample } from "./resample.ts";

const matrix = "mm.input_projection.weight";

export const gemma3: VisionFamily = {
  type: "gemma3",
  read: (file, { layers, embedding, width }) => ({
    usedLayers: layers,
    merge: integerOf(file, "clip.vision.projector.scale_factor", [1, 64]) ?? 4,
    hasClass: false,
    norm: "layer",
    places: "learned",
    mostTiles: 1,
    // It stands with rows and columns exchanged.
    turned: [{ name: matrix, count: 1, rows: embedding, columns: width }],
  }),
  project(graph, { tensors, merge, width, epsilon, embedding }, states) {
    const pooled = graph.averageRows(states, merge ** 2);
    const weight = tensors.vector("mm.soft_emb_norm.weight", embedding);
    const normed = graph.norm(pooled, { kind: "rms", epsilon, weight });
    graph.hidden(graph.linear(normed, tensors.transposed(matrix, embedding, width)));
  },
  async cut(picture, { imageSize }) {
    const tile = await resample(picture, { width: imageSize, height: imageSize }, "bilinear");
    return [{ text: "\n\n<start_of_image>" }, { tile }, { text: "<end_of_image>\n\n" }];
  },
};
