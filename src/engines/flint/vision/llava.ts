/**
 * LLaVA 1.5 (arXiv 2310.03744): CLIP up to the layer before its last one, without the row of the class, and two matrices.
 * The picture is padded to a square with the mean color.
 */
import { failKey, numbersOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { Picture } from "../../media/image.ts";
import type { VisionFamily } from "./family.ts";
import { padToSquare } from "./crop.ts";
import { unsupported } from "./refuse.ts";
import { resample } from "./resample.ts";
import { linear } from "./transformer.ts";

export const llava: VisionFamily = {
  type: "mlp",
  read(file, { layers }) {
    refuseVariants(file);
    if (layers < 2) failKey(file, "clip.vision.block_count", `is ${layers}; the last layer is not used`);
    const hasClass = file.tensors.some(({ name }) => name === "v.class_embd");
    return { usedLayers: layers - 1, merge: 1, hasClass, norm: "layer", places: "learned", mostTiles: 1 };
  },
  project(graph, model, states) {
    const build = { graph, model };
    const first = graph.activate(linear(build, graph.outputRows(states), "mm.0", model.width), "gelu");
    graph.hidden(model.tensors.has("mm.2.weight") ? linear(build, first, "mm.2", model.width) : first);
  },
  async cut(picture, { imageSize, mean }) {
    const square = padToSquare(
      picture,
      mean.map((value) => Math.floor(value * 255)),
    );
    const tile: Picture = await resample(square, { width: imageSize, height: imageSize }, "bicubic");
    return [{ tile }];
  },
};

/** LLaVA 1.6 and Granite cut pictures into tiles of several proportions, or stack layers. */
function refuseVariants(file: GgufFile): void {
  for (const key of ["clip.vision.image_grid_pinpoints", "clip.vision.feature_layer"]) {
    if ((numbersOf(file, key)?.length ?? 0) > 0) throw unsupported(file, `is a variant of LLaVA with ${key}`, key);
  }
}
