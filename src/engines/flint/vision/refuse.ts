import { HearthError } from "../../../error.ts";
import { printable } from "../../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";

/** Values of `clip.projector_type` that flint knows. */
export const kinds = ["idefics3", "mlp", "gemma3", "pixtral", "qwen2vl_merger", "qwen2.5vl_merger"] as const;
export type ProjectorKind = (typeof kinds)[number];

export function unsupported(file: GgufFile, problem: string, field: string): HearthError {
  return new HearthError("model_unsupported", `${file.name} ${problem}; flint does not run it.`, {
    hint: `Projectors of flint: ${kinds.join(", ")}. The model itself runs without pictures.`,
    details: { field: printable(field) },
  });
}
