/** The model that a command makes smaller or measures: what is on this disk already. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { HearthError } from "../../error.ts";
import { checkpointFolder } from "../../formats/model.ts";
import type { Format } from "../../spec/model.ts";
import type { Context } from "../command.ts";

export interface FoundModel {
  /** As it was given, or as the store calls it. */
  readonly name: string;
  /** A GGUF file, the first of several, or a folder. */
  readonly path: string;
}

/** A path as it is, else an installed model. Throws `model_not_found`, and `model_unsupported` for other formats. */
export async function findModel(
  context: Pick<Context, "hearth">,
  text: string,
  formats: readonly Format[] = ["gguf", "safetensors"],
): Promise<FoundModel> {
  if (existsSync(text)) return { name: text, path: resolve(text) };
  const { library } = await context.hearth();
  const model = await library.resolve(text);
  const weights = model.files.find(({ role }) => role === "weights");
  if (!weights || !formats.includes(model.format)) {
    throw new HearthError("model_unsupported", `${model.name} is a model of the format ${model.format}.`, {
      hint: formats.includes("onnx")
        ? "Give an ONNX model."
        : "Give a GGUF file, or a checkpoint with SafeTensors weights.",
    });
  }
  return { name: model.name, path: checkpointFolder(weights.path) ?? weights.path };
}
