import { malformed } from "./malformed.ts";
import type { GgufFile, GgufNumbers, GgufStrings, GgufValue } from "./types.ts";
import { isGgufArray } from "./types.ts";

/** Least and greatest value. */
export type Range = readonly [number, number];

/** Throws `model_malformed` for a key of the metadata, with the byte where it stands. */
export function failKey(gguf: GgufFile, key: string, problem: string): never {
  throw malformed({ name: gguf.name, field: key, offset: gguf.entries.get(key)?.offset ?? 0 }, problem);
}

function describe(gguf: GgufFile, key: string): string {
  const value = gguf.metadata.get(key);
  return isGgufArray(value) ? `an array of ${value.type}` : `of type ${gguf.entries.get(key)?.type}`;
}

export function stringOf(gguf: GgufFile, key: string): string | undefined {
  const value = gguf.metadata.get(key);
  if (value === undefined || typeof value === "string") return value;
  return failKey(gguf, key, `is ${describe(gguf, key)}; it must be a string`);
}

export function booleanOf(gguf: GgufFile, key: string): boolean | undefined {
  const value = gguf.metadata.get(key);
  if (value === undefined || typeof value === "boolean") return value;
  return failKey(gguf, key, `is ${describe(gguf, key)}; it must be a boolean`);
}

export function numberOf(gguf: GgufFile, key: string, range: Range): number | undefined {
  const value = gguf.metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== "number") return failKey(gguf, key, `is ${describe(gguf, key)}; it must be a number`);
  if (!(value >= range[0] && value <= range[1])) {
    failKey(gguf, key, `is ${value}; it must be from ${range[0]} to ${range[1]}`);
  }
  return value;
}

export function integerOf(gguf: GgufFile, key: string, range: Range): number | undefined {
  const value = gguf.metadata.get(key);
  if (value === undefined) return undefined;
  const integer = toInteger(value);
  if (integer === undefined) return failKey(gguf, key, `is ${describe(gguf, key)}; it must be an integer`);
  return inRange(gguf, key, { value: integer, range });
}

/** One integer for all layers, or one for each. */
export function integersOf(gguf: GgufFile, key: string, range: Range): readonly number[] | number | undefined {
  const value = gguf.metadata.get(key);
  if (!isGgufArray(value)) return integerOf(gguf, key, range);
  // Per-layer switches are arrays of booleans, which are read as 0 and 1.
  const numbers: ArrayLike<number | bigint> = numbersOf(gguf, key) ?? [];
  return Array.from(numbers, (element) => {
    const integer = toInteger(element);
    if (integer === undefined) return failKey(gguf, key, `holds ${element}; it must hold integers`);
    return inRange(gguf, key, { value: integer, range });
  });
}

function toInteger(value: GgufValue): number | undefined {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "number" && Number.isInteger(value) ? value : undefined;
}

function inRange(gguf: GgufFile, key: string, { value, range }: { value: number; range: Range }): number {
  if (value >= range[0] && value <= range[1]) return value;
  return failKey(gguf, key, `is ${value}; it must be from ${range[0]} to ${range[1]}`);
}

/** An array of numbers whose contents were read. */
export function numbersOf(gguf: GgufFile, key: string): GgufNumbers | undefined {
  const value = gguf.metadata.get(key);
  if (value === undefined) return undefined;
  if (!isGgufArray(value) || value.type === "string") {
    return failKey(gguf, key, `is ${describe(gguf, key)}; it must be an array of numbers`);
  }
  return value.numbers ?? failSkipped(key);
}

/** An array of strings whose contents were read. */
export function stringsOf(gguf: GgufFile, key: string): GgufStrings | undefined {
  const value = gguf.metadata.get(key);
  if (value === undefined) return undefined;
  if (!isGgufArray(value) || value.type !== "string") {
    return failKey(gguf, key, `is ${describe(gguf, key)}; it must be an array of strings`);
  }
  return value.strings ?? failSkipped(key);
}

function failSkipped(key: string): never {
  throw new TypeError(`${key} was read without its contents`);
}
