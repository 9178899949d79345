import { basename, dirname, join } from "node:path";
import { readGguf } from "../../formats/gguf/read.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";

export interface ModelFile {
  readonly path: string;
  readonly header: GgufFile;
}

/** The file of a model, and of a split one, `x-00001-of-00003.gguf`, all its parts: llama.cpp finds them by their names. */
export async function readModelFiles(path: string): Promise<readonly [ModelFile, ...ModelFile[]]> {
  const header = await readGguf(path);
  const others: ModelFile[] = [];
  for (let part = 2; part <= (header.splitCount ?? 1); part++) {
    const name = basename(path).replace(/-\d{5}(?=-of-\d{5}\.gguf$)/i, `-${String(part).padStart(5, "0")}`);
    const other = join(dirname(path), name);
    others.push({ path: other, header: await readGguf(other) });
  }
  return [{ path, header }, ...others];
}
