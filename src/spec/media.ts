/** Words for what models besides language models take and give: tensors, pictures, sound. */

export const tensorTypes = [
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
  "string",
] as const;
export type TensorType = (typeof tensorTypes)[number];

export type TensorData =
  | Float32Array
  | Float64Array
  /** Also float16, as bits. */
  | Uint16Array
  | Int8Array
  /** Also bool, 0 or 1. */
  | Uint8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];

/** Row-major; as many elements as the product of `shape`. */
export interface Tensor {
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** What a model says of one of its inputs or outputs. A dimension that is free is -1, or has a name. */
export interface TensorInfo {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly (number | string)[];
  /** Of a quantized tensor: value = scale · (code - zeroPoint). */
  readonly quantization?: { readonly scale: number; readonly zeroPoint: number };
}

/** An encoded picture (PNG, JPEG, WebP, GIF, TIFF, AVIF), as a file holds it. Turned as its EXIF data says before use. */
export interface ImageInput {
  readonly bytes: Uint8Array;
}

/** Sound as a file holds it (WAV, or what the engine can decode), or samples from -1 to 1 of one channel. */
export type AudioInput =
  | { readonly bytes: Uint8Array }
  /** A file of this machine, read piece by piece. Never from a request over the network. */
  | { readonly path: string }
  | { readonly samples: Float32Array; readonly sampleRate: number };

/** A picture that a model made, as PNG. */
export interface ImageOutput {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** In pixels of the picture that came in, after it was turned; the origin is top left. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}
