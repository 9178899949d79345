import type { LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import { isCombinedModel } from "./gguf/combined.ts";

/** The file of the encoder of pictures: the one asked for, that of the model, or the model's own; undefined: it has none. */
export function projectorPath(
  { files }: Pick<InstalledModel, "files">,
  info: Pick<ModelInfo, "architecture" | "metadata">,
  { projector }: Pick<LoadOptions, "projector">,
): string | undefined {
  if (projector) return projector.path;
  const beside = files.find(({ role }) => role === "projector");
  const inside = isCombinedModel(info) ? files.find(({ role }) => role === "weights") : undefined;
  return (beside ?? inside)?.path;
}
