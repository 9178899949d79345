import type { GgufContent, GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import type { GgufFile, GgufValue } from "../../../formats/gguf/types.ts";
import { isGgufArray } from "../../../formats/gguf/types.ts";
import { modelBytes } from "../../../../test/make-model.ts";

/** The same model under the name of another architecture, with further keys. */
export function renamed(
  bytes: Uint8Array<ArrayBuffer>,
  architecture: string,
  keys: GgufContent["metadata"],
): Uint8Array<ArrayBuffer> {
  const file = parseGguf(bytes);
  const old = file.metadata.get("general.architecture") as string;
  const metadata = [...file.metadata].map(([key, value]) => {
    const typed = key === "general.architecture" ? architecture : value;
    return [key.startsWith(`${old}.`) ? architecture + key.slice(old.length) : key, typedValue(file, key, typed)] as const;
  });
  const tensors = file.tensors.map(({ name, shape, typeName, offset, sizeBytes }) => {
    const start = file.dataOffset + offset;
    return { name, shape, type: typeName, data: bytes.subarray(start, start + sizeBytes) };
  });
  return modelBytes({ metadata: { ...Object.fromEntries(metadata), ...keys }, tensors });
}

function typedValue({ entries }: GgufFile, key: string, value: GgufValue): GgufTypedValue {
  if (isGgufArray(value)) {
    const of = value.type;
    return { type: "array", of, value: value.type === "string" ? value.strings : value.numbers } as GgufTypedValue;
  }
  // The reader gave it as the type of its entry is.
  return { type: entries.get(key)?.type, value } as GgufTypedValue;
}
