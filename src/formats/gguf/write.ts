import { open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { HearthError } from "../../error.ts";
import { encodeHeader } from "./encode.ts";
import type { GgufContent, GgufTensorData } from "./encode.ts";

/**
 * Writes a GGUF version 3 file, one tensor after the other, and syncs it to the disk. Throws `bad_request` for a
 * tensor whose data has another length than its shape says; what was written by then is removed.
 */
export async function writeGguf(path: string, content: GgufContent, signal?: AbortSignal): Promise<void> {
  const header = encodeHeader(content);
  const file = await open(path, "w");
  try {
    await writeAll(file, header.bytes);
    for (const [index, tensor] of content.tensors.entries()) {
      signal?.throwIfAborted();
      const expected = header.tensorBytes[index] ?? 0;
      const written = await writeTensor(file, tensor.data);
      if (written !== expected) {
        throw new HearthError(
          "bad_request",
          `Tensor "${tensor.name}" needs ${expected} bytes of data; ${written} were given.`,
        );
      }
      await writeAll(file, new Uint8Array(padding(written, header.alignment)));
    }
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}

async function writeTensor(file: FileHandle, data: GgufTensorData): Promise<number> {
  if (data instanceof Uint8Array) {
    await writeAll(file, data);
    return data.length;
  }
  let written = 0;
  for await (const chunk of data()) {
    await writeAll(file, chunk);
    written += chunk.length;
  }
  return written;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, offset);
    offset += bytesWritten;
  }
}

function padding(size: number, alignment: number): number {
  return (alignment - (size % alignment)) % alignment;
}
