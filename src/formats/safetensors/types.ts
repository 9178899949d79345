/** What the header of a SafeTensors file holds. Format: https://github.com/huggingface/safetensors#format */

/** The element types of the format and the bits of one element. */
export const elementBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

export type SafetensorsType = keyof typeof elementBits;

export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsType;
  /** Elements per dimension, the contiguous one last; none for a single number. */
  readonly shape: readonly number[];
  /** Byte of the file at which the data starts. */
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface SafetensorsFile {
  /** What messages call the file. */
  readonly name: string;
  readonly fileBytes: number;
  /** `__metadata__`: texts by name. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}
