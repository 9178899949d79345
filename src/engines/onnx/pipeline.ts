/** Pipelines of transformers.js on the files of a model. */
import { HearthError } from "../../error.ts";
import type { ImageInput } from "../../spec/media.ts";
import type { Label } from "../../spec/perform.ts";
import { opaquePixels } from "../media/pixels.ts";
import type { OnnxContext } from "./context.ts";
import { isConfig } from "./files.ts";
import { sharing } from "./session.ts";
import type { LoadFiles, Pipeline, TransformersImage } from "./transformers.ts";

const deviceNames: Readonly<Record<string, string>> = { directml: "dml", npu: "coreml" };

export async function openPipeline(context: OnnxContext, task: string): Promise<Pipeline> {
  const transformers = await context.transformers();
  const { metadata } = context.info;
  const text = (name: string): string | undefined => {
    const value = metadata[name];
    return typeof value === "string" ? value : undefined;
  };
  const [dtype, subfolder] = [text("dtype"), text("subfolder")];
  const options: LoadFiles = {
    local_files_only: true,
    // The WebAssembly build has one provider, which it takes by itself.
    device: context.isWasm ? "auto" : (deviceNames[context.device] ?? context.device),
    session_options: { intraOpNumThreads: context.threads, interOpNumThreads: 1, logSeverityLevel: 3, extra: sharing },
    ...(dtype !== undefined && { dtype }),
    ...(subfolder !== undefined && { subfolder }),
  };
  try {
    return await transformers.pipeline(task, context.folder, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HearthError("engine_load_failed", `The files of "${context.name}" do not load: ${reason}`, {
      cause: error,
    });
  }
}

/** A picture as pipelines take it. */
export async function toRawImage(context: OnnxContext, image: ImageInput): Promise<TransformersImage> {
  const [{ RawImage }, pictures] = [await context.transformers(), await context.pictures()];
  const picture = await pictures.decode(image);
  return new RawImage(opaquePixels(picture), picture.width, picture.height, 3);
}

/** [{label, score}], as classifiers give it. */
export function toLabels(value: unknown): Label[] {
  return rows(value).map((row) => ({ label: stringOf(row, "label"), score: numberOf(row, "score") }));
}

export function rows(value: unknown): Readonly<Record<string, unknown>>[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter(isConfig);
}

export function stringOf(row: Readonly<Record<string, unknown>>, name: string): string {
  const value = row[name];
  return typeof value === "string" ? value : "";
}

export function numberOf(row: Readonly<Record<string, unknown>>, name: string): number {
  const value = row[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
