import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import { openSource } from "../source.ts";
import type { SizeFacts } from "./contract.ts";

/** From the header alone. */
export async function measureSize(path: string): Promise<SizeFacts> {
  const { file } = await openSource(path);
  const types: Partial<Record<GgmlTypeName, number>> = {};
  let weights = 0;
  let dataBytes = 0;
  for (const { shape, typeName, sizeBytes } of file.tensors) {
    const count = shape.reduce((product, size) => product * size, 1);
    weights += count;
    dataBytes += sizeBytes;
    types[typeName] = (types[typeName] ?? 0) + count;
  }
  const importance = file.metadata.get("quantize.imatrix.file");
  return {
    dataBytes,
    weights,
    bitsPerWeight: (dataBytes * 8) / weights,
    types,
    ...(typeof importance === "string" && { importance }),
  };
}
