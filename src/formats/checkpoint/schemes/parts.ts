/** The parts of a layer, checked before they are used. Their shapes agree with their bytes already: the header was checked. */
import { HearthError } from "../../../error.ts";
import { printable } from "../../gguf/malformed.ts";
import { shapeText } from "../../safetensors/parse.ts";
import type { SafetensorsType } from "../../safetensors/types.ts";
import type { QuantizedLayer, RawTensor, RawTensorInfo } from "../scheme.ts";

/** The one error for parts that do not fit together; details {field}. */
export function partFault(part: string, problem: string, hint?: string): HearthError {
  const field = printable(part);
  return new HearthError("model_malformed", `${field} ${problem}.`, {
    hint: hint ?? "The files are damaged or of another model; fetch the model again.",
    details: { field },
  });
}

/** What a scheme allows and we do not compute; details {field}. */
export function partUnsupported(part: string, problem: string, hint?: string): HearthError {
  const field = printable(part);
  return new HearthError("model_unsupported", `${field} ${problem}.`, {
    hint: hint ?? "Look for the model as GGUF, or unquantized.",
    details: { field },
  });
}

export interface PartKind {
  readonly dtypes: readonly SafetensorsType[];
  /** Dimensions that it must have; `undefined`: any number of them. */
  readonly rank?: number;
}

/** Throws `model_malformed` where the part is missing or of another kind. */
export function requirePart(layer: QuantizedLayer, name: string, kind: PartKind): RawTensor {
  const part = findPart(layer, name, kind);
  if (part) return part;
  const found = [...layer.parts.keys()].join(", ");
  throw partFault(`${layer.name}.${name}`, `is missing; the layer has ${found || "nothing"}`);
}

/** The same for a part that may be missing. */
export function findPart(layer: QuantizedLayer, name: string, { dtypes, rank }: PartKind): RawTensor | undefined {
  const part = layer.parts.get(name);
  if (!part) return undefined;
  if (!dtypes.includes(part.dtype)) {
    throw partFault(part.name, `has elements of type ${part.dtype}; they must be ${dtypes.join(" or ")}`);
  }
  if (part.shape.includes(0)) throw partFault(part.name, `has the shape ${shapeText(part.shape)}, which is empty`);
  if (rank !== undefined && part.shape.length !== rank) {
    throw partFault(part.name, `has the shape ${shapeText(part.shape)}; it must have ${rank} dimensions`);
  }
  return part;
}

/** Throws `model_malformed` where the shape is another one. `why`: what the expected one follows from. */
export function expectShape(part: RawTensor, expected: readonly number[], why: string): void {
  const { shape } = part;
  if (shape.length === expected.length && shape.every((size, index) => size === expected[index])) return;
  throw partFault(part.name, `has the shape ${shapeText(shape)}; ${why} makes it ${shapeText(expected)}`);
}

/** Scales of a quantized KV cache, which stand beside the projections of an attention. */
export function isCacheScale({ name }: RawTensorInfo): boolean {
  return /\.(q|k|v|prob)_(scale|zero_point)$/.test(name);
}

/** A size of a shape; 1 beyond its end. */
export function sizeAt(part: RawTensor, dimension: number): number {
  return part.shape[dimension] ?? 1;
}

/** For `layerOf`: a name without one of these endings, else undefined. */
export function stripEnding(name: string, endings: readonly string[]): string | undefined {
  const ending = endings.find((one) => name.endsWith(one) && name.length > one.length);
  return ending === undefined ? undefined : name.slice(0, -ending.length);
}
