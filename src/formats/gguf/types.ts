/** What the header of a GGUF file holds. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
import type { GgmlTypeName } from "./ggml.ts";

/** Names of the value types; the index is the number in the file. */
export const valueTypes = [
  "uint8",
  "int8",
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "bool",
  "string",
  "array",
  "uint64",
  "int64",
  "float64",
] as const;
export type GgufValueType = (typeof valueTypes)[number];
export type GgufNumberType = Exclude<GgufValueType, "string" | "array" | "bool">;
export type GgufElementType = Exclude<GgufValueType, "array">;

/** Bytes of one value; for strings the length in front of the text. */
export const valueBytes: Readonly<Record<GgufElementType, number>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  string: 8,
  uint64: 8,
  int64: 8,
  float64: 8,
};

export type GgufScalar = string | number | bigint | boolean;

/** An array of strings that decodes a string when it is asked for. */
export interface GgufStrings extends Iterable<string> {
  readonly length: number;
  /** Text of one element; bytes that are no UTF-8 become U+FFFD. */
  at(index: number): string;
  bytes(index: number): Uint8Array;
  byteLength(index: number): number;
  /** All of them as they stand in a file, each behind its length. */
  readonly encoded?: Uint8Array;
}

export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

export interface GgufStringArray {
  readonly type: "string";
  readonly length: number;
  /** Absent when the contents of arrays were skipped. */
  readonly strings?: GgufStrings;
}

export interface GgufNumberArray {
  readonly type: Exclude<GgufElementType, "string">;
  readonly length: number;
  /** Absent when the contents of arrays were skipped. Booleans are 0 and 1. */
  readonly numbers?: GgufNumbers;
}

export type GgufArray = GgufStringArray | GgufNumberArray;
/** 64-bit integers are bigints, all other numbers are numbers. */
export type GgufValue = GgufScalar | GgufArray;

export interface GgufTensor {
  readonly name: string;
  /** Elements per dimension, 1 to 4 of them, the contiguous one first. */
  readonly shape: readonly number[];
  /** Number of the type in the file. */
  readonly type: number;
  readonly typeName: GgmlTypeName;
  /** Bytes from `dataOffset` of the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface GgufEntry {
  readonly type: GgufValueType;
  /** Byte of the file at which the key starts. */
  readonly offset: number;
}

export interface GgufFile {
  /** What messages call the file. */
  readonly name: string;
  readonly version: 2 | 3;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Where each key stands in the file and the type of its value. */
  readonly entries: ReadonlyMap<string, GgufEntry>;
  readonly tensors: readonly GgufTensor[];
  /** All tensors of the file, where `tensors` are those of a part of it. See `combined.ts`. */
  readonly allTensors?: readonly GgufTensor[];
  /** First byte of the tensor data. */
  readonly dataOffset: number;
  readonly fileBytes: number;
  readonly alignment: number;
  /** Which part of a model in several files this is, from 0; absent for a model in one file. */
  readonly splitIndex?: number;
  readonly splitCount?: number;
}

export function isGgufArray(value: GgufValue | undefined): value is GgufArray {
  return typeof value === "object";
}
