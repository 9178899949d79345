import type { GgufNumbers, GgufStrings, GgufValue } from "../../../../formats/gguf/types.ts";
import { isGgufArray } from "../../../../formats/gguf/types.ts";
import { malformed } from "../fail.ts";
import type { PieceSource } from "../pieces.ts";

export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** The keys `tokenizer.ggml.*` of a file. Each getter throws `model_malformed` for a value of another type. */
export interface TokenizerKeys {
  string(name: string): string | undefined;
  boolean(name: string): boolean | undefined;
  integer(name: string): number | undefined;
  strings(name: string): GgufStrings | undefined;
  numbers(name: string): GgufNumbers | undefined;
}

export function readKeys(metadata: GgufMetadata): TokenizerKeys {
  const get = (name: string): GgufValue | undefined => metadata.get(`tokenizer.ggml.${name}`);
  const typed = <Value extends GgufValue>(name: string, is: (value: GgufValue) => value is Value, what: string) => {
    const value = get(name);
    if (value === undefined || is(value)) return value;
    throw malformed(name, `must be ${what}`);
  };
  return {
    string: (name) => typed(name, (value): value is string => typeof value === "string", "a string"),
    boolean: (name) => typed(name, (value): value is boolean => typeof value === "boolean", "a boolean"),
    integer(name) {
      const value = get(name);
      if (value === undefined) return undefined;
      const number = typeof value === "bigint" ? Number(value) : value;
      if (typeof number !== "number" || !Number.isInteger(number)) throw malformed(name, "must be an integer");
      return number;
    },
    strings(name) {
      const value = get(name);
      if (value === undefined) return undefined;
      if (!isGgufArray(value) || value.type !== "string" || !value.strings)
        throw malformed(name, "must be a list of strings");
      return value.strings;
    },
    numbers(name) {
      const value = get(name);
      if (value === undefined) return undefined;
      if (!isGgufArray(value) || value.type === "string" || !value.numbers)
        throw malformed(name, "must be a list of numbers");
      return value.numbers;
    },
  };
}

/** Texts of tokens as llama.cpp sees them: they end at a zero byte, and an empty one is called after its id. */
export function tokenTexts(strings: GgufStrings): PieceSource {
  return {
    length: strings.length,
    bytes(index) {
      const bytes = strings.bytes(index);
      const zero = bytes.indexOf(0);
      const text = zero < 0 ? bytes : bytes.subarray(0, zero);
      return text.length > 0 ? text : new TextEncoder().encode(`[EMPTY_${index}]`);
    },
  };
}
