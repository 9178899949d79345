/** A checkpoint's folder → a GGUF file, and back. */
import type { Progress } from "../../spec/model.ts";
import { statSync } from "node:fs";
import { HearthError } from "../../error.ts";
import { checkpointFolder } from "../../formats/model.ts";
import type { OutputFile } from "../output.ts";
import { writeCheckpoint } from "./to-checkpoint.ts";
import { writeModel } from "./to-gguf.ts";

export const convertTypes = ["keep", "f16", "bf16", "f32"] as const;
export type ConvertType = (typeof convertTypes)[number];

export interface ConvertOptions {
  /** A folder, one of its files of weights, or a GGUF file. */
  readonly source: string;
  /** The file or folder that is made. There must be none of that name. */
  readonly out: string;
  /** Of the matrices. Default: as they are; what is quantized in a GGUF file becomes f16. */
  readonly type?: ConvertType | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly freeBytes?: OutputFile["freeBytes"];
}

export interface ConvertReport {
  readonly path: string;
  readonly format: "gguf" | "safetensors";
  readonly architecture: string;
  readonly tensors: number;
  readonly sizeBytes: number;
  /** What the other format does not hold, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads and writes in pieces. Throws what the readers throw, `conflict` where the output exists, and `disk_full` before
 * anything is written. Aborted or killed, it leaves nothing under the output's name.
 */
export async function convert(options: ConvertOptions): Promise<ConvertReport> {
  const { source } = options;
  const folder = checkpointFolder(source);
  if (folder !== undefined) return await writeModel(folder, options);
  if (statSync(source, { throwIfNoEntry: false })) return await writeCheckpoint(options);
  throw new HearthError("model_not_found", `There is no ${source}.`, { hint: "Give a folder or a GGUF file." });
}
