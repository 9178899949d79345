import { HearthError } from "../../../error.ts";
import { printable } from "../../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";

/** Values of `clip.projector_type` that flint knows. */
export const kinds = ["idefics3", "mlp", "gemma3", "pixtral"] as const;
export type ProjectorKind = (typeof kinds)[number];

export function unsupported(file: GgufFile, problem: string, field: string): HearthError {
  return new HearthError("model_unsupported", `${file.name} ${problem}; flint does not run it.`, {
    hint: `Projectors of flint: ${kinds.join(", ")}. The model itself runs without pictures.`,
    details: { field: printable(field) },
  });
}

/** Their rows of a picture see those after them too. */
const seesBothWays: ReadonlySet<string> = new Set(["gemma3", "gemma3n"]);

/** Throws `model_unsupported` for a language model that takes its pictures in a way that flint does not compute. */
export function checkLanguage(architecture: string): void {
  if (!seesBothWays.has(architecture)) return;
  throw new HearthError(
    "model_unsupported",
    `flint computes rows of pictures in their order; ${architecture} sees a picture both ways.`,
  );
}
