/** Files in a ZIP archive at the end of a model. */
import type { ByteSource } from "../protobuf/source.ts";
import { readZipDirectory, readZipEntry, ZipFault } from "../zip.ts";
import { limits } from "./limits.ts";

/** The bytes of a file by its name; undefined where it is not there, or damaged: names of classes are no condition. */
export function readAppended(source: ByteSource, name: string): Uint8Array | undefined {
  try {
    const entry = readZipDirectory(source).find((one) => one.name === name);
    return entry && readZipEntry(source, entry, limits.fileBytes);
  } catch (error) {
    if (error instanceof ZipFault) return undefined;
    throw error;
  }
}
