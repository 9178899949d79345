import { dirname, join } from "node:path";
import { HearthError } from "../error.ts";
import { detectFormat } from "../formats/detect.ts";
import { isCombined, languageHeader } from "../formats/gguf/combined.ts";
import { readGguf } from "../formats/gguf/read.ts";
import { checkpointFolder } from "../formats/model.ts";
import type { GgufFile } from "../formats/gguf/types.ts";
import type { InstalledModel, ModelFile, ModelInfo } from "../spec/model.ts";
import { describeGguf, refuseOther } from "./describe.ts";
import { splitParts } from "./gguf-file.ts";

/**
 * What the header of a GGUF file or a SafeTensors checkpoint says, after all checks that native code relies on. Reads the
 * headers of all parts of a split model. Throws `model_malformed` with {field, offset}, and `model_unsupported` for files
 * that are no model that runs.
 */
export async function inspectGguf(path: string, model?: InstalledModel, signal?: AbortSignal): Promise<ModelInfo> {
  const format = checkpointFolder(path) === undefined ? await detectFormat(path) : "safetensors";
  if (format === "safetensors") return await inspectCheckpoint(path, model);
  if (format === "onnx") {
    const speech = (await import("./describe-speech.ts")).describeSpeech(path, model);
    if (speech) return speech;
    return (await import("./describe-onnx.ts")).describeOnnx(path, model);
  }
  if (format === "tflite") return (await import("./describe-tflite.ts")).inspectTflite(path, model?.name);
  const options = { ...(model && { name: model.name }), signal };
  const whole = await readGguf(path, options);
  const first = languageHeader(whole);
  refuseOther(first);
  const others: GgufFile[] = [];
  for (const part of partPaths(path, first, model)) others.push(await readGguf(part, options));
  return withVision(describeGguf(first, others), model?.files.some(isProjector) === true || isCombined(whole));
}

const isProjector = ({ role }: ModelFile): boolean => role === "projector";

/** A language model with a projector sees. */
function withVision(info: ModelInfo, hasProjector: boolean): ModelInfo {
  return hasProjector && info.capabilities.includes("chat")
    ? { ...info, capabilities: [...info.capabilities, "vision"] }
    : info;
}

/**
 * The same for a checkpoint: its header as a GGUF file would have it. Files of a model that is about to be installed have no
 * folder of their own yet.
 */
async function inspectCheckpoint(path: string, model: InstalledModel | undefined): Promise<ModelInfo> {
  const { openCheckpoint } = await import("../formats/checkpoint/open.ts");
  const { listCheckpoint } = await import("../formats/checkpoint/files.ts");
  const folder = checkpointFolder(path);
  const files =
    folder === undefined && model
      ? { name: model.name, paths: new Map(model.files.map((file) => [file.name, file.path])) }
      : listCheckpoint(folder ?? dirname(path), model?.name);
  // As flint reads it, the only engine that does.
  const checkpoint = openCheckpoint(files, { reorder: true });
  checkpoint.close();
  return { ...describeGguf(checkpoint.file), format: "safetensors" };
}

/** Paths of the further parts of a split model: its other weights, or the files named alike in the same folder. */
function partPaths(path: string, first: GgufFile, model: InstalledModel | undefined): string[] {
  const count = first.splitCount ?? 1;
  if (count === 1) return [];
  const weights = model?.files.filter((file) => file.role === "weights").map((file) => file.path) ?? [];
  if (weights.length === count) return weights.filter((other) => other !== path);
  const folder = dirname(path);
  const names = splitParts(path.slice(folder.length + 1))?.names ?? [];
  if (names.length === count) return names.slice(1).map((name) => join(folder, name));
  throw new HearthError("model_malformed", `${first.name} is the first of ${count} parts; the others were not found.`, {
    hint: "Keep the parts in one folder under their names, like model-00001-of-00003.gguf.",
    details: { field: "split.count", offset: first.entries.get("split.count")?.offset },
  });
}
