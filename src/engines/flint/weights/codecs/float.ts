import { HearthError } from "../../../../error.ts";
import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { Codec, Codes } from "./contract.ts";
import { halves } from "../../../../util/half.ts";
import { shortsOf } from "./run.ts";
import { codecOf } from "./table.ts";

/**
 * Dequantizes the first `into.length` weights of `source`, whole blocks, bit for bit as ggml does. RangeError: not whole
 * blocks or not enough bytes. HearthError `model_unsupported`: a type that holds no weights (integers, Q8_1, Q8_K).
 */
export function toFloat32(type: GgmlTypeName, source: Uint8Array, into: Float32Array): void {
  const codec = codecOf(type);
  if (codec) return decodeAll(codec, source, into);
  const bytes = into.length * ggmlType(type).blockBytes;
  if (source.length < bytes) throw new RangeError(`${into.length} weights of ${type} need ${bytes} bytes`);
  if (type === "F32") new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(source.subarray(0, bytes));
  else if (type === "F16") fromHalf(shortsOf(source), into);
  else if (type === "BF16") fromBrain(shortsOf(source), into);
  else throw new HearthError("model_unsupported", `Weights of the type ${type} cannot be used.`);
}

function fromHalf(shorts: Uint16Array, into: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i] = halves[shorts[i]!]!;
}

/** bfloat16 is the upper half of an f32. */
function fromBrain(shorts: Uint16Array, into: Float32Array): void {
  const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < into.length; i++) bits[i] = shorts[i]! << 16;
}

/** Weights that are decoded at once: few enough to stay in the first cache. */
const chunk = 4096;

const room: Required<Codes> = {
  codes: new Uint8Array(chunk),
  scales: new Float32Array(chunk / 16),
  mins: new Float32Array(chunk / 16),
};

function decodeAll(codec: Codec, source: Uint8Array, into: Float32Array): void {
  const { blockSize, blockBytes } = ggmlType(codec.type);
  const values = valuesOf(codec);
  for (let start = 0; start < into.length; start += chunk) {
    const part = into.subarray(start, start + chunk);
    codec.decode(source.subarray((start / blockSize) * blockBytes), part.length, room);
    if (codec.format.hasMin) scaleAndShift(codec.format.group, values, part);
    else scale(codec.format.group, values, part);
  }
}

const valuesByType = new Map<GgmlTypeName, Float32Array>();

/** The value of every code. */
function valuesOf(codec: Codec): Float32Array {
  let values = valuesByType.get(codec.type);
  if (!values) valuesByType.set(codec.type, (values = createValues(codec)));
  return values;
}

function createValues({ format: { bits, table, offset = 0 } }: Codec): Float32Array {
  if (table) return Float32Array.from(table);
  return Float32Array.from({ length: 2 ** bits }, (_, code) => (bits === 8 ? (code << 24) >> 24 : code - offset));
}

function scale(group: number, values: Float32Array, into: Float32Array): void {
  const { codes, scales } = room;
  for (let i = 0, g = 0; i < into.length; g++) {
    const factor = scales[g]!;
    for (const end = i + group; i < end; i++) into[i] = factor * values[codes[i]!]!;
  }
}

/** The product is rounded before the subtraction, as ggml rounds it. */
function scaleAndShift(group: number, values: Float32Array, into: Float32Array): void {
  const { codes, scales, mins } = room;
  for (let i = 0, g = 0; i < into.length; g++) {
    const factor = scales[g]!;
    const min = mins[g]!;
    for (const end = i + group; i < end; i++) into[i] = Math.fround(factor * values[codes[i]!]!) - min;
  }
}
