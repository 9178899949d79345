/** Reads importance matrices: GGUF files, and the older format without a name of its own. */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { HearthError } from "../../error.ts";
import { integerOf, stringOf } from "../../formats/gguf/check.ts";
import { malformed, printable } from "../../formats/gguf/malformed.ts";
import { readGguf } from "../../formats/gguf/read.ts";
import type { GgufFile, GgufTensor } from "../../formats/gguf/types.ts";
import type { ImportanceEntry, ImportanceFile } from "./contract.ts";
import { parseLegacy } from "./legacy.ts";

/** More than the largest models known have. */
const mostBytes = 2 ** 31;

/** Throws `model_malformed`, `model_not_found`, and `bad_request` for a GGUF file that is something else. */
export async function readImportance(path: string): Promise<ImportanceFile> {
  const bytes = await readWhole(path);
  const name = basename(path);
  if (new TextDecoder("latin1").decode(bytes.subarray(0, 4)) !== "GGUF") return parseLegacy(bytes, name);
  const file = await readGguf(path, { name });
  if (stringOf(file, "general.type") !== "imatrix") {
    throw new HearthError("bad_request", `${name} is a GGUF file, but no importance matrix.`, {
      hint: "Make one with `hearth imatrix MODEL --text FILE`.",
    });
  }
  return fromGguf(file, bytes);
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  let handle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    throw new HearthError("model_not_found", `There is no file ${path}.`, { cause: error, hint: "Check the path." });
  }
  try {
    const { size } = await handle.stat();
    if (size <= mostBytes) return Uint8Array.from(await handle.readFile());
    throw new HearthError("model_malformed", `${path} has ${size} bytes: too many for an importance matrix.`);
  } finally {
    await handle.close();
  }
}

const sumsSuffix = ".in_sum2";
const countsSuffix = ".counts";

function fromGguf(file: GgufFile, bytes: Uint8Array<ArrayBuffer>): ImportanceFile {
  const byName = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  const entries = new Map<string, ImportanceEntry>();
  for (const tensor of file.tensors) {
    if (!tensor.name.endsWith(sumsSuffix)) continue;
    const name = tensor.name.slice(0, -sumsSuffix.length);
    const counts = byName.get(name + countsSuffix);
    if (!counts) throw fault(file, tensor, "has no counts beside it");
    const entry = { sums: floatsOf(file, tensor, bytes), counts: floatsOf(file, counts, bytes) };
    if (entry.sums.length % entry.counts.length !== 0) {
      throw fault(file, tensor, `has ${entry.sums.length} sums for ${entry.counts.length} counts`);
    }
    entries.set(name, entry);
  }
  if (entries.size === 0) throw new HearthError("model_malformed", `${file.name} holds no sums.`);
  const datasets = file.metadata.get("imatrix.datasets");
  return {
    entries,
    datasets: typeof datasets === "object" && datasets.type === "string" ? [...(datasets.strings ?? [])] : [],
    chunks: integerOf(file, "imatrix.chunk_count", [0, 2 ** 32]) ?? 0,
    chunkTokens: integerOf(file, "imatrix.chunk_size", [0, 2 ** 32]) ?? 0,
  };
}

function floatsOf(file: GgufFile, tensor: GgufTensor, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  if (tensor.typeName !== "F32") throw fault(file, tensor, `is of type ${tensor.typeName}; it must be F32`);
  const start = file.dataOffset + tensor.offset;
  const floats = new Float32Array(bytes.buffer.slice(start, start + tensor.sizeBytes));
  if (!floats.every((value) => value >= 0 && value < Infinity))
    throw fault(file, tensor, "holds what is no sum of squares");
  return floats;
}

function fault(file: GgufFile, tensor: GgufTensor, problem: string): HearthError {
  const place = { name: file.name, field: printable(tensor.name), offset: file.dataOffset + tensor.offset };
  return malformed(place, problem);
}
