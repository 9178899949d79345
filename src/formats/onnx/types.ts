/** What an ONNX file holds. Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
import type { LazyBytes } from "../protobuf/message.ts";

/** Types of the elements of tensors, in the order of their numbers in the file, from 1 on. */
export const elementNames = [
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "uint4",
  "int4",
  "float4e2m1",
  "float8e8m0",
  "uint2",
  "int2",
] as const;
export type ElementType = (typeof elementNames)[number];

interface Element {
  /** Number in the file. */
  readonly code: number;
  /** 0: strings have no size. */
  readonly bits: number;
}

export const elements: Readonly<Record<ElementType, Element>> = {
  float32: { code: 1, bits: 32 },
  uint8: { code: 2, bits: 8 },
  int8: { code: 3, bits: 8 },
  uint16: { code: 4, bits: 16 },
  int16: { code: 5, bits: 16 },
  int32: { code: 6, bits: 32 },
  int64: { code: 7, bits: 64 },
  string: { code: 8, bits: 0 },
  bool: { code: 9, bits: 8 },
  float16: { code: 10, bits: 16 },
  float64: { code: 11, bits: 64 },
  uint32: { code: 12, bits: 32 },
  uint64: { code: 13, bits: 64 },
  complex64: { code: 14, bits: 64 },
  complex128: { code: 15, bits: 128 },
  bfloat16: { code: 16, bits: 16 },
  float8e4m3fn: { code: 17, bits: 8 },
  float8e4m3fnuz: { code: 18, bits: 8 },
  float8e5m2: { code: 19, bits: 8 },
  float8e5m2fnuz: { code: 20, bits: 8 },
  uint4: { code: 21, bits: 4 },
  int4: { code: 22, bits: 4 },
  float4e2m1: { code: 23, bits: 4 },
  float8e8m0: { code: 24, bits: 8 },
  uint2: { code: 25, bits: 2 },
  int2: { code: 26, bits: 2 },
};

/** Bytes of the data of a tensor; those of strings are not known from its shape. */
export function dataBytes(type: ElementType, shape: readonly number[]): number {
  return Math.ceil((elementCount(shape) * elements[type].bits) / 8);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Where the elements of a tensor are. All but `varints` and `strings` are little-endian, and packed below 8 bits. */
export type TensorData =
  | { readonly kind: "file"; readonly offset: number; readonly length: number }
  /** Integers of any width as packed varints; floats of 16 and 8 bits are their bits. */
  | { readonly kind: "varints"; readonly offset: number; readonly length: number }
  /** In another file of the model's folder. */
  | { readonly kind: "external"; readonly location: string; readonly offset: number; readonly length: number }
  | { readonly kind: "strings"; readonly values: readonly Uint8Array[] }
  /** Made here. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "lazy"; readonly bytes: LazyBytes };

export interface OnnxTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Nonzero elements and their places. */
export interface OnnxSparseTensor {
  readonly values: OnnxTensor;
  readonly indices: OnnxTensor;
  readonly shape: readonly number[];
}

/** A size, the name of one that is known at run time only, or neither. */
export type Dimension = number | string | undefined;

export type OnnxType =
  | {
      readonly kind: "tensor" | "sparse-tensor";
      readonly element: ElementType | undefined;
      /** Absent: of any number of dimensions. */
      readonly shape?: readonly Dimension[];
    }
  | { readonly kind: "sequence" | "optional"; readonly of: OnnxType }
  | { readonly kind: "map"; readonly key: ElementType | undefined; readonly of: OnnxType }
  | { readonly kind: "opaque"; readonly domain: string; readonly name: string };

export interface OnnxValue {
  readonly name: string;
  readonly type?: OnnxType;
}

export type OnnxAttribute =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: Uint8Array }
  | { readonly kind: "tensor"; readonly value: OnnxTensor }
  | { readonly kind: "graph"; readonly value: OnnxGraph }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "ints"; readonly value: readonly bigint[] }
  | { readonly kind: "strings"; readonly value: readonly Uint8Array[] }
  | { readonly kind: "tensors"; readonly value: readonly OnnxTensor[] }
  | { readonly kind: "graphs"; readonly value: readonly OnnxGraph[] }
  | { readonly kind: "sparse-tensor"; readonly value: OnnxSparseTensor }
  | { readonly kind: "sparse-tensors"; readonly value: readonly OnnxSparseTensor[] }
  | { readonly kind: "type"; readonly value: OnnxType }
  | { readonly kind: "types"; readonly value: readonly OnnxType[] }
  /** In a function: the attribute of this name of the node that calls it. */
  | { readonly kind: "reference"; readonly of: AttributeKind; readonly value: string };

/** In the order of their numbers in the file, from 1 on. */
export const attributeKinds = [
  "float",
  "int",
  "string",
  "tensor",
  "graph",
  "floats",
  "ints",
  "strings",
  "tensors",
  "graphs",
  "sparse-tensor",
  "sparse-tensors",
  "type",
  "types",
] as const;
export type AttributeKind = (typeof attributeKinds)[number];

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  /** "" for the operators of ONNX itself. */
  readonly domain: string;
  /** Of several functions of one name. */
  readonly overload: string;
  /** "" where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly sparseInitializers: readonly OnnxSparseTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Types of values in between, as far as they are given. */
  readonly values: readonly OnnxValue[];
}

/** An operator that the file itself defines. */
export interface OnnxFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly string[];
  /** Attributes with a default. */
  readonly defaults: ReadonlyMap<string, OnnxAttribute>;
  readonly nodes: readonly OnnxNode[];
  readonly values: readonly OnnxValue[];
  readonly opsets: ReadonlyMap<string, number>;
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: { readonly name: string; readonly version: string };
  readonly domain: string;
  readonly version: bigint;
  readonly documentation: string;
  /** Version of the operators of each domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: OnnxGraph;
  readonly functions: readonly OnnxFunction[];
}
