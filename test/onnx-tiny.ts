/** Tiny ONNX models with what torch makes of the same inputs: `scripts/golden/onnx_tasks.py` writes them. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { memorySource } from "../src/formats/protobuf/source.ts";
import { readZipDirectory, readZipEntry } from "../src/formats/zip.ts";

const fixtures = new URL("../src/engines/onnx/__fixtures__/tasks/", import.meta.url);
const mostBytes = 16 * 1024 ** 2;

export interface TinyModel<Golden> {
  readonly folder: string;
  readonly golden: Golden;
  /** A file of the folder. */
  readonly read: (name: string) => Promise<Uint8Array>;
  readonly remove: () => Promise<void>;
}

/** Unpacks a model into a folder of its own. */
export async function unpackTiny<Golden>(name: string): Promise<TinyModel<Golden>> {
  const source = memorySource(new Uint8Array(await readFile(new URL(`${name}.zip`, fixtures))));
  const folder = await mkdtemp(join(tmpdir(), `hearth-${name}-`));
  for (const entry of readZipDirectory(source)) {
    const path = join(folder, entry.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, readZipEntry(source, entry, mostBytes));
  }
  const read = async (file: string): Promise<Uint8Array> => new Uint8Array(await readFile(join(folder, file)));
  const golden = JSON.parse(new TextDecoder().decode(await read("golden.json"))) as Golden;
  return { folder, golden, read, remove: async () => await rm(folder, { recursive: true }) };
}
