/** The whole check of a projector's header: figures, and the name, shape and type of every tensor that is used. */
import { validateForEngine } from "../../../formats/gguf/validate.ts";
import { HearthError } from "../../../error.ts";
import { printable } from "../../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import { createTensors } from "../architectures/tensors.ts";
import { createShapes } from "../graph/shapes.ts";
import type { VisionFamily } from "./family.ts";
import { rowsOf } from "./figures.ts";
import type { VisionModel } from "./figures.ts";
import { readFigures } from "./read.ts";
import { unsupported } from "./refuse.ts";
import { buildVision } from "./transformer.ts";

export interface CheckedVision {
  readonly family: VisionFamily;
  readonly model: VisionModel;
}

/** `width`: embedding length of the language model. Nothing is allocated. */
export function checkVision(file: GgufFile, width: number): CheckedVision {
  validateForEngine(file);
  const { family, figures } = readFigures(file);
  if (figures.width !== width) {
    throw new HearthError(
      "model_unsupported",
      `${file.name} makes rows of ${figures.width}; the language model takes rows of ${width}.`,
      { hint: "It belongs to another model.", details: { field: "clip.vision.projection_dim" } },
    );
  }
  const tensors = createTensors(file);
  const model = { ...figures, tensors };
  const shapes = createShapes((problem, field) => {
    throw unsupported(file, problem, field);
  });
  if (figures.places === "learned") tensors.matrix("v.position_embd.weight", figures.embedding, rowsOf(figures));
  if (figures.hasClass) tensors.vector("v.class_embd", figures.embedding);
  buildVision(shapes, model, family);
  const [unknown] = tensors.unknown();
  if (unknown !== undefined) {
    throw unsupported(file, `has the tensor ${printable(unknown)}, for which its kind has no place`, unknown);
  }
  return { family, model };
}
