/** What a TFLite file holds. Schema: tensorflow/compiler/mlir/lite/schema/schema.fbs in TensorFlow's repository. */
import { isNumberType } from "../tensor.ts";
import type { NumberType } from "../tensor.ts";
import type { ByteRange } from "./table.ts";

/** Types of elements, in the order of their numbers in the file. */
export const elementTypes = [
  "float32",
  "float16",
  "int32",
  "uint8",
  "int64",
  "string",
  "bool",
  "int16",
  "complex64",
  "int8",
  "float64",
  "complex128",
  "uint64",
  "resource",
  "variant",
  "uint32",
  "uint16",
  "int4",
  "bfloat16",
  "int2",
  "uint4",
] as const;
export type TfliteType = (typeof elementTypes)[number];

/** Bits of an element. Texts have no size; `resource` and `variant` are handles. */
export const elementBits: Readonly<Partial<Record<TfliteType, number>>> = {
  float32: 32,
  float16: 16,
  int32: 32,
  uint8: 8,
  int64: 64,
  bool: 8,
  int16: 16,
  complex64: 64,
  int8: 8,
  float64: 64,
  complex128: 128,
  uint64: 64,
  uint32: 32,
  uint16: 16,
  int4: 4,
  bfloat16: 16,
  int2: 2,
  uint4: 4,
};

/** Whether tensors of this type can go in and out. */
export function isOwnType(type: TfliteType): type is TfliteType & NumberType {
  return isNumberType(type);
}

export interface TfliteQuantization {
  /** One, or one for each index along `axis`: value = scale · (code - zeroPoint). */
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number;
}

export interface TfliteTensor {
  readonly name: string;
  readonly type: TfliteType;
  readonly shape: readonly number[];
  /** As `shape`, with -1 for sizes that are free. */
  readonly signature: readonly number[];
  /** Place in `TfliteModel.buffers`; one without data: computed at run time. */
  readonly buffer: number;
  readonly quantization?: TfliteQuantization;
  readonly isVariable: boolean;
  readonly isSparse: boolean;
}

export interface TfliteOperator {
  /** Number in the schema's list of operators; 32: a custom one. */
  readonly code: number;
  /** Name of a custom operator. */
  readonly custom?: string;
  /** Tensors; -1: left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly customOptions?: ByteRange;
  /** Subgraphs that it runs. */
  readonly calls: readonly number[];
}

export interface TfliteSubgraph {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly operators: readonly TfliteOperator[];
  /** Bytes of the lists, for edits in place; their lengths are the four bytes in front. */
  readonly places: { readonly outputs: ByteRange | undefined; readonly operators: ByteRange | undefined };
}

export interface TfliteSignature {
  readonly key: string;
  readonly subgraph: number;
  readonly inputs: readonly { readonly name: string; readonly tensor: number }[];
  readonly outputs: readonly { readonly name: string; readonly tensor: number }[];
}

export interface TfliteModel {
  readonly name: string;
  readonly fileBytes: number;
  readonly description: string;
  /** Names of all custom operators that are used, sorted. */
  readonly customOperators: readonly string[];
  readonly subgraphs: readonly TfliteSubgraph[];
  /** Constant data; undefined: none. */
  readonly buffers: readonly (ByteRange | undefined)[];
  readonly signatures: readonly TfliteSignature[];
  /** Name → place in `buffers`. */
  readonly metadata: ReadonlyMap<string, number>;
  readonly places: { readonly signatures: ByteRange | undefined };
}

export const customCode = 32;
