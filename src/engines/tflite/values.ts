/** Tensors ↔ numbers. */
import { HearthError } from "../../error.ts";
import type { Tensor, TensorInfo, TensorType } from "../../spec/media.ts";
import { halves } from "../../util/half.ts";

export type Quantization = NonNullable<TensorInfo["quantization"]>;

/** An output, with its codes turned into values. */
export interface Floats {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function toFloats({ shape, type, data }: Tensor, quantization?: Quantization): Floats {
  if (data instanceof Float32Array) return { shape, data };
  if (type === "float16") return { shape, data: Float32Array.from(data as Uint16Array, (bits) => halves[bits] ?? 0) };
  const numbers = data as ArrayLike<number | bigint>;
  const { scale = 1, zeroPoint = 0 } = quantization ?? {};
  return { shape, data: Float32Array.from(numbers, (code) => scale * (Number(code) - zeroPoint)) };
}

const limits: Readonly<Partial<Record<TensorType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
};

/** Values to codes, rounded and kept in their range. Undefined: the type has no codes. */
export function toCodes(
  values: Float32Array,
  type: TensorType,
  { scale, zeroPoint }: Quantization,
): Tensor["data"] | undefined {
  const limit = limits[type];
  if (!limit) return undefined;
  const [least, most] = limit;
  const code = (value: number): number => Math.min(most, Math.max(least, Math.round(value / scale) + zeroPoint));
  if (type === "int8") return Int8Array.from(values, code);
  return type === "uint8" ? Uint8Array.from(values, code) : Int16Array.from(values, code);
}

/** Floats as they are where they are probabilities already, else their softmax. */
export function probabilities(values: Float32Array): Float32Array {
  const sum = values.reduce((total, value) => total + value, 0);
  // Codes of 8 bits round a thousand small ones to nothing, or up.
  if (values.every((value) => value >= 0 && value <= 1) && sum > 0.4 && sum < 2.5) return values;
  const most = values.reduce((best, value) => Math.max(best, value), -Infinity);
  const powers = values.map((value) => Math.exp(value - most));
  const total = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / total);
}

export function unsuitable(message: string, field: string): HearthError {
  return new HearthError("bad_request", message, { details: { field } });
}
