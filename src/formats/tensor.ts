/** Tensors of numbers in memory, as models get and give them. */
import type { TensorData, TensorType } from "../spec/media.ts";

/** Those of texts have no numbers. */
export type TensorNumbers = Exclude<TensorData, readonly string[]>;

interface NumberTypes {
  readonly float32: Float32ArrayConstructor;
  readonly float64: Float64ArrayConstructor;
  readonly int8: Int8ArrayConstructor;
  readonly uint8: Uint8ArrayConstructor;
  readonly int16: Int16ArrayConstructor;
  readonly uint16: Uint16ArrayConstructor;
  readonly int32: Int32ArrayConstructor;
  readonly uint32: Uint32ArrayConstructor;
  readonly int64: BigInt64ArrayConstructor;
  readonly uint64: BigUint64ArrayConstructor;
  readonly bool: Uint8ArrayConstructor;
  /** Their bits. */
  readonly float16: Uint16ArrayConstructor;
}

export type NumberType = Exclude<TensorType, "string">;

/** What holds the elements of each type. */
export const numberTypes: NumberTypes = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  float16: Uint16Array,
};

export interface Tensor {
  readonly type: NumberType;
  /** Elements per dimension, the contiguous one last. */
  readonly shape: readonly number[];
  readonly data: TensorNumbers;
}

export function isNumberType(type: string): type is NumberType {
  return Object.hasOwn(numberTypes, type);
}
