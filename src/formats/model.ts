/** The header of a model, whichever way its weights are kept. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { WeightOptions } from "./checkpoint/weights.ts";
import { languageHeader } from "./gguf/combined.ts";
import { readGguf } from "./gguf/read.ts";
import type { GgufReadOptions } from "./gguf/header.ts";
import type { GgufFile } from "./gguf/types.ts";

/** The folder of a checkpoint, given as itself or as one of its files of weights; undefined: the path is another file. */
export function checkpointFolder(path: string): string | undefined {
  if (path.endsWith(".safetensors")) return dirname(path);
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : undefined;
}

/**
 * Reads and checks a header; that of a checkpoint is made up from its files, with `weights` of other types where that is
 * wanted. Throws what `readGguf` and `openCheckpoint` throw.
 */
export async function readModelHeader(
  path: string,
  options: GgufReadOptions & { readonly weights?: WeightOptions | undefined } = {},
): Promise<GgufFile> {
  const folder = checkpointFolder(path);
  if (folder === undefined) return languageHeader(await readGguf(path, options));
  const { openCheckpoint } = await import("./checkpoint/open.ts");
  const { listCheckpoint } = await import("./checkpoint/files.ts");
  const checkpoint = openCheckpoint(listCheckpoint(folder, options.name), options.weights);
  checkpoint.close();
  return checkpoint.file;
}
