/** The elements of tensors. */
import { HearthError } from "../../error.ts";
import { halves } from "../../util/half.ts";
import { malformed, printable } from "../gguf/malformed.ts";
import { dataBytes, elements } from "./types.ts";
import type { OnnxTensor } from "./types.ts";

/** Reads bytes of the model's file, or of one beside it. */
export type ReadData = (place: DataPlace, target: Uint8Array) => void;

export interface DataPlace {
  /** Absent: the model's own file. */
  readonly location?: string;
  readonly offset: number;
}

/** Elements as little-endian bytes, packed below 8 bits. Throws `model_malformed` where the data ends before. */
export function tensorBytes(tensor: OnnxTensor, read: ReadData): Uint8Array<ArrayBuffer> {
  const { data, name, type, shape } = tensor;
  const bytes = new Uint8Array(dataBytes(type, shape));
  switch (data.kind) {
    case "file":
    case "external":
      if (bytes.length > 0) read(data, bytes);
      return bytes;
    case "bytes":
      bytes.set(data.bytes);
      return bytes;
    case "varints": {
      const packed = new Uint8Array(data.length);
      read(data, packed);
      unpack(packed, { bytes, width: Math.max(1, elements[type].bits / 8), name, offset: data.offset });
      return bytes;
    }
    case "strings":
    case "lazy":
      throw new RangeError(`the elements of ${name} are not there as bytes`);
  }
}

interface Target {
  readonly bytes: Uint8Array;
  /** Bytes of an element. */
  readonly width: number;
  readonly name: string;
  readonly offset: number;
}

function unpack(packed: Uint8Array, { bytes, width, name, offset }: Target): void {
  let at = 0;
  let from = 0;
  while (from < packed.length && at < bytes.length) {
    let value = 0n;
    let shift = 0n;
    for (; ; shift += 7n) {
      const byte = packed[from++];
      if (byte === undefined || shift > 63n) {
        throw malformed({ name, field: "elements", offset: offset + from }, "end inside a number");
      }
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    for (let index = 0; index < width; index++) bytes[at++] = Number((value >> BigInt(8 * index)) & 255n);
  }
  if (at < bytes.length || from < packed.length) {
    throw malformed({ name, field: "elements", offset }, "are not as many as the shape says");
  }
}

/** Elements of a floating type as float32. Throws `model_unsupported` for other types. */
export function tensorFloats(tensor: OnnxTensor, read: ReadData): Float32Array<ArrayBuffer> {
  const bytes = tensorBytes(tensor, read);
  switch (tensor.type) {
    case "float32":
      return new Float32Array(bytes.buffer);
    case "float64":
      return Float32Array.from(new Float64Array(bytes.buffer));
    case "float16":
      return Float32Array.from(new Uint16Array(bytes.buffer), (bits) => halves[bits]!);
    case "bfloat16": {
      const words = Uint32Array.from(new Uint16Array(bytes.buffer), (bits) => bits << 16);
      return new Float32Array(words.buffer);
    }
    default:
      throw new HearthError("model_unsupported", `${printable(tensor.name)} has elements of the type ${tensor.type}.`, {
        hint: "Give a model with float32 weights.",
        details: { field: printable(tensor.name) },
      });
  }
}

/** Elements of a tensor of int64 or int32, such as a shape or axes. */
export function tensorIntegers(tensor: OnnxTensor, read: ReadData): readonly number[] {
  const bytes = tensorBytes(tensor, read);
  if (tensor.type === "int64") return [...new BigInt64Array(bytes.buffer)].map(Number);
  if (tensor.type === "int32") return [...new Int32Array(bytes.buffer)];
  throw new RangeError(`${tensor.name} has no integers`);
}
