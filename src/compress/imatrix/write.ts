import { encodeHeader } from "../../formats/gguf/encode.ts";
import type { GgufContent, GgufTensorContent } from "../../formats/gguf/encode.ts";
import { writeGguf } from "../../formats/gguf/write.ts";
import type { OutputFile } from "../output.ts";
import { writeOutput } from "../output.ts";
import type { ImportanceFile } from "./contract.ts";

/** Writes the GGUF form, which llama.cpp reads too. Throws `conflict` and `disk_full`. */
export async function writeImportance(
  { path, freeBytes }: Pick<OutputFile, "path" | "freeBytes">,
  file: ImportanceFile,
  signal?: AbortSignal,
): Promise<void> {
  const content = toContent(file);
  const header = encodeHeader(content);
  const sizeBytes = header.tensorBytes.reduce((sum, bytes) => sum + bytes + header.alignment, header.bytes.length);
  await writeOutput({ path, sizeBytes, freeBytes }, (temporary) => writeGguf(temporary, content, signal));
}

function toContent({ entries, datasets, chunks, chunkTokens }: ImportanceFile): GgufContent {
  return {
    metadata: {
      "general.type": { type: "string", value: "imatrix" },
      "imatrix.datasets": { type: "array", of: "string", value: datasets },
      "imatrix.chunk_count": { type: "uint32", value: chunks },
      "imatrix.chunk_size": { type: "uint32", value: chunkTokens },
    },
    tensors: [...entries]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, { sums, counts }]) => [
        floats(`${name}.in_sum2`, [sums.length / counts.length, counts.length], sums),
        floats(`${name}.counts`, [1, counts.length], counts),
      ]),
  };
}

function floats(name: string, shape: readonly number[], values: Float32Array): GgufTensorContent {
  return { name, type: "F32", shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}
