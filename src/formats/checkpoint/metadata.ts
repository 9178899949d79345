/** Typed values as the reader of GGUF files gives them. */
import type { GgufTypedValue } from "../gguf/encode.ts";
import type { GgufArray, GgufEntry, GgufNumbers, GgufStrings, GgufValue } from "../gguf/types.ts";

export type TypedMetadata = Readonly<Record<string, GgufTypedValue>>;

/** There is no file in which they stand, so every entry is at byte 0. */
export function toEntries(typed: TypedMetadata): ReadonlyMap<string, GgufEntry> {
  return new Map(Object.entries(typed).map(([key, { type }]) => [key, { type, offset: 0 }]));
}

export function toMetadata(typed: TypedMetadata): ReadonlyMap<string, GgufValue> {
  return new Map(Object.entries(typed).map(([key, value]) => [key, toValue(value)]));
}

function toValue(value: GgufTypedValue): GgufValue {
  if (value.type !== "array") return value.type === "float32" ? Math.fround(value.value) : value.value;
  if (value.of === "string") return toStrings([...value.value]);
  return { type: value.of, length: value.value.length, numbers: toNumbers(value) };
}

type NumberArray = Exclude<Extract<GgufTypedValue, { type: "array" }>, { of: "string" }>;

function toNumbers({ of, value }: NumberArray): GgufNumbers {
  switch (of) {
    case "uint8":
    case "bool":
      return Uint8Array.from(value as ArrayLike<number>, Number);
    case "int8":
      return Int8Array.from(value);
    case "uint16":
      return Uint16Array.from(value);
    case "int16":
      return Int16Array.from(value);
    case "uint32":
      return Uint32Array.from(value);
    case "int32":
      return Int32Array.from(value);
    case "float32":
      return Float32Array.from(value);
    case "float64":
      return Float64Array.from(value);
    case "uint64":
      return BigUint64Array.from(value);
    case "int64":
      return BigInt64Array.from(value);
  }
}

function toStrings(texts: readonly string[]): GgufArray {
  const encoder = new TextEncoder();
  const at = (index: number): string => {
    const text = texts[index];
    if (text === undefined) throw new RangeError(`no string ${index} among ${texts.length}`);
    return text;
  };
  const bytes = (index: number): Uint8Array => encoder.encode(at(index));
  const strings: GgufStrings = {
    length: texts.length,
    at,
    bytes,
    byteLength: (index) => bytes(index).length,
    [Symbol.iterator]: () => texts[Symbol.iterator](),
  };
  return { type: "string", length: texts.length, strings };
}
