/** Makes tiny models with random weights from a forward pass itself: it says which tensors it wants. */
import { encodeHeader } from "../../../formats/gguf/encode.ts";
import type { GgufContent, GgufTensorContent, GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import { modelBytes, tinyLlama } from "../../../../test/make-model.ts";
import { randomNormal } from "../../../../test/make-weights.ts";
import type { Tensors } from "../architectures/tensors.ts";
import { findArchitecture } from "../architectures/table.ts";
import { createShapes } from "../graph/shapes.ts";

export interface Variant {
  readonly architecture: string;
  /** Keys without the name of the architecture; undefined removes one of the tiny llama's. */
  readonly keys?: Readonly<Record<string, GgufTypedValue | undefined>>;
  /** Keys with their whole name. */
  readonly metadata?: GgufContent["metadata"];
  /** Tensors that are there of those that may be missing. */
  readonly optional?: RegExp;
  /** Tensors that only the header's reader asks for. */
  readonly vectors?: Readonly<Record<string, readonly number[]>>;
}

/** The bytes of a GGUF file. */
export function makeVariant(variant: Variant): Uint8Array<ArrayBuffer> {
  return modelBytes(variantContent(variant));
}

export function variantContent(variant: Variant): GgufContent {
  const metadata = variant.metadata ?? variantMetadata(variant);
  const vectors = Object.entries(variant.vectors ?? {}).map(([name, values]) => floats(name, [values.length], values));
  const header = parseGguf(encodeHeader({ metadata, tensors: [] }).bytes);
  const architecture = findArchitecture(variant.architecture);
  if (!architecture) throw new Error(`no architecture ${variant.architecture}`);
  const wanted = new Map<string, readonly number[]>();
  const hyperparameters = architecture.hyperparameters(header);
  architecture.build(createShapes(), { ...hyperparameters, tensors: wish(wanted, variant.optional ?? /^$/) });
  const normal = randomNormal(1);
  const tensors = [...wanted].map(([name, shape]) => random(name, shape, normal));
  return { metadata, tensors: [...tensors, ...vectors] };
}

function variantMetadata({ architecture, keys = {} }: Variant): GgufContent["metadata"] {
  const named = Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value] as const);
  // llama.cpp expects the special tokens of Phi 3 where a name says so.
  const metadata = { ...Object.fromEntries(named), "general.name": { type: "string", value: "variant" } as const };
  return tinyLlama({ architecture, metadata }).metadata;
}

function wish(wanted: Map<string, readonly number[]>, optional: RegExp): Tensors {
  return {
    has: (name) => optional.test(name),
    matrix(name, k, n) {
      wanted.set(name, [k, n]);
      return { name, k, n };
    },
    experts(name, k, n, count) {
      wanted.set(name, [k, n, count]);
      return { name, k, n, experts: count };
    },
    vector(name, length, rows) {
      wanted.set(name, rows === undefined ? [length] : [length / rows, rows]);
      return { name, length };
    },
    ignore: () => undefined,
    unknown: () => [],
  };
}

/** Norms around 1, biases around 0, matrices that keep the size of their input. */
function random(name: string, shape: readonly number[], normal: () => number): GgufTensorContent {
  const size = shape.reduce((product, length) => product * length, 1);
  const [middle, spread] = name.includes("norm.weight")
    ? [1, 0.2]
    : shape.length === 1 || name.includes("token_embd")
      ? [0, 0.3]
      : [0, 1 / Math.sqrt(shape[0] ?? 1)];
  return floats(
    name,
    shape,
    Array.from({ length: size }, () => middle + spread * normal()),
  );
}

function floats(name: string, shape: readonly number[], values: readonly number[]): GgufTensorContent {
  return { name, shape, type: "F32", data: new Uint8Array(Float32Array.from(values).buffer) };
}
