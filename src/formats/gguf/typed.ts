import type { GgufTypedValue } from "./encode.ts";
import type { GgufArray, GgufFile, GgufScalar } from "./types.ts";

/** The metadata of a file with the types that they have there, to be written again. Needs the contents of arrays. */
export function typedMetadata({ metadata, entries }: GgufFile): Record<string, GgufTypedValue> {
  const typed = [...metadata].map(([key, value]): [string, GgufTypedValue] => {
    if (typeof value === "object") return [key, typedArray(value)];
    return [key, { type: entries.get(key)?.type ?? "string", value } as GgufTypedValue & { value: GgufScalar }];
  });
  return Object.fromEntries(typed);
}

function typedArray(array: GgufArray): GgufTypedValue {
  const value = array.type === "string" ? array.strings : array.numbers;
  if (!value) throw new TypeError("an array was read without its contents");
  return { type: "array", of: array.type, value } as GgufTypedValue;
}
