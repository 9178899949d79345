import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { HearthError } from "../../error.ts";
import { readHeader } from "./header.ts";
import type { GgufReadOptions } from "./header.ts";
import type { GgufFile } from "./types.ts";

/**
 * Reads and checks the header of a GGUF file (`readHeader`). Throws `model_malformed` with details {field, offset},
 * `model_unsupported` for version 1 and big-endian files, and `model_not_found` where there is no such file.
 */
export async function readGguf(path: string, options: GgufReadOptions = {}): Promise<GgufFile> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const read = async (offset: number, target: Uint8Array): Promise<number> =>
      (await file.read(target, 0, target.length, offset)).bytesRead;
    return await readHeader({ name: options.name ?? basename(path), sizeBytes: size, read }, options);
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Asked first: to open a named pipe would wait for a writer.
    const found = await stat(path);
    if (!found.isFile())
      throw new HearthError("model_malformed", `${path} is not a file.`, { hint: "Name a model file." });
    return await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
      throw new HearthError("model_not_found", `There is no file ${path}.`, { cause: error });
    }
    throw error;
  }
}
