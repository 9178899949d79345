/** `.npz`: a ZIP archive of NumPy's arrays. */
import { memorySource } from "../protobuf/source.ts";
import type { Tensor } from "../tensor.ts";
import { readZipDirectory, readZipEntry, ZipFault } from "../zip.ts";
import { fault, parseNpy } from "./parse.ts";

const mostArrayBytes = 2 ** 31;

/** Arrays by their names. Throws `bad_request`. */
export function parseNpz(bytes: Uint8Array, name: string): ReadonlyMap<string, Tensor> {
  const source = memorySource(bytes);
  const arrays = new Map<string, Tensor>();
  try {
    for (const entry of readZipDirectory(source)) {
      const key = entry.name.replace(/\.npy$/, "");
      arrays.set(key, parseNpy(readZipEntry(source, entry, mostArrayBytes), `${name}: ${key}`));
    }
  } catch (error) {
    throw error instanceof ZipFault ? fault(name, error.message) : error;
  }
  return arrays;
}
