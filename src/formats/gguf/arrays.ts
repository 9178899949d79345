import type { Cursor } from "./cursor.ts";
import { NeedBytes } from "./cursor.ts";
import { limits } from "./limits.ts";
import type { GgufArray, GgufElementType, GgufNumberArray, GgufNumbers, GgufStrings } from "./types.ts";
import { valueBytes } from "./types.ts";

/** Reads or, with `skip`, only checks and passes the elements of an array. The cursor stands behind its length. */
export function readArray(cursor: Cursor, type: GgufElementType, length: number, skip: boolean): GgufArray {
  if (type === "string") return readStrings(cursor, length, skip);
  const start = cursor.take(length * valueBytes[type]);
  if (type === "bool") checkBooleans(cursor, start, length);
  if (skip) return { type, length };
  return { type, length, numbers: numberArrays[type](cursor.slice(start, cursor.position).buffer) };
}

function checkBooleans(cursor: Cursor, start: number, length: number): void {
  const bytes = cursor.slice(start, start + length);
  const wrong = bytes.findIndex((byte) => byte > 1);
  if (wrong >= 0) cursor.fail(`holds the byte ${bytes[wrong]} where a boolean must be 0 or 1`, start + wrong);
}

const numberArrays: Readonly<Record<GgufNumberArray["type"], (buffer: ArrayBuffer) => GgufNumbers>> = {
  uint8: (buffer) => new Uint8Array(buffer),
  bool: (buffer) => new Uint8Array(buffer),
  int8: (buffer) => new Int8Array(buffer),
  uint16: (buffer) => new Uint16Array(buffer),
  int16: (buffer) => new Int16Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
  uint64: (buffer) => new BigUint64Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
};

/** One pass over the lengths; the texts are decoded when they are asked for. */
function readStrings(cursor: Cursor, length: number, skip: boolean): GgufArray {
  const first = cursor.position;
  // The lengths alone take this much: have it here before room is made for the table of starts.
  if (first + length * 8 > cursor.available) throw new NeedBytes(first + length * 8);
  const starts = skip ? undefined : new Uint32Array(length + 1);
  for (let index = 0; index < length; index++) {
    const at = cursor.take(8);
    const bytes = cursor.peekUint32(at) + cursor.peekUint32(at + 4) * 2 ** 32;
    if (bytes > limits.stringBytes || bytes > cursor.remaining) {
      cursor.fail(`has an element ${index} of ${bytes} bytes, but the file has ${cursor.remaining} more`, at);
    }
    const start = cursor.take(bytes);
    if (starts) starts[index] = start - first;
  }
  if (!starts) return { type: "string", length };
  starts[length] = cursor.position - first + 8;
  return { type: "string", length, strings: lazyStrings(cursor.slice(first, cursor.position), starts) };
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** `starts` has one element more than there are strings; 8 bytes of length stand between two strings. */
function lazyStrings(bytes: Uint8Array, starts: Uint32Array): GgufStrings {
  const length = starts.length - 1;
  const bytesAt = (index: number): Uint8Array => {
    if (!(index >= 0 && index < length)) throw new RangeError(`no string ${index} among ${length}`);
    return bytes.subarray(starts[index], (starts[index + 1] ?? 0) - 8);
  };
  return {
    length,
    at: (index) => decoder.decode(bytesAt(index)),
    bytes: bytesAt,
    byteLength: (index) => bytesAt(index).length,
    encoded: bytes,
    *[Symbol.iterator]() {
      for (let index = 0; index < length; index++) yield decoder.decode(bytesAt(index));
    },
  };
}
