import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import { HearthError } from "../../error.ts";
import { Cursor } from "./cursor.ts";
import { limits } from "./limits.ts";
import { malformed } from "./malformed.ts";
import { parseHeader } from "./parse.ts";
import type { GgufParseOptions } from "./parse.ts";
import type { GgufFile } from "./types.ts";

export interface GgufReadOptions extends GgufParseOptions {
  readonly signal?: AbortSignal | undefined;
}

const firstBytes = 64 * 1024;

/**
 * Reads and checks the header of a GGUF file, in pieces that grow fourfold, and never the tensor data. Throws
 * `model_malformed` with details {field, offset}, `model_unsupported` for version 1 and big-endian files, and
 * `model_not_found` where there is no such file.
 */
export async function readGguf(path: string, options: GgufReadOptions = {}): Promise<GgufFile> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    return await readFrom(file, size, { ...options, name: options.name ?? basename(path) });
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

async function readFrom(
  file: FileHandle,
  fileBytes: number,
  options: GgufReadOptions & { readonly name: string },
): Promise<GgufFile> {
  let bytes = new Uint8Array(0);
  const cursor = new Cursor(bytes, fileBytes, options.name);
  const parser = parseHeader(cursor, options);
  for (let step = parser.next(); ; step = parser.next()) {
    if (step.done) return step.value;
    options.signal?.throwIfAborted();
    if (step.value > limits.headerBytes) cursor.fail(`makes the header longer than ${limits.headerBytes} bytes`);
    const wanted = Math.max(step.value, firstBytes, Math.min(bytes.length * 4, limits.headerBytes));
    bytes = await readUpTo(file, bytes, { size: Math.min(wanted, fileBytes), name: options.name });
    cursor.extend(bytes);
  }
}

/** The first `size` bytes of the file, of which some are known. */
async function readUpTo(
  file: FileHandle,
  known: Uint8Array<ArrayBuffer>,
  { size, name }: { readonly size: number; readonly name: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  bytes.set(known);
  for (let offset = known.length; offset < size;) {
    const { bytesRead } = await file.read(bytes, offset, size - offset, offset);
    if (bytesRead === 0) throw malformed({ name, field: "header", offset }, "ends while it is being read");
    offset += bytesRead;
  }
  return bytes;
}
