import type { Cursor } from "./cursor.ts";
import { NeedBytes } from "./cursor.ts";
import { limits } from "./limits.ts";
import type { GgufArray, GgufElementType, GgufNumbers, GgufStrings } from "./types.ts";
import { valueBytes } from "./types.ts";

/** Reads or, with `skip`, only checks and passes the elements of an array. The cursor stands behind its length. */
export function readArray(cursor: Cursor, type: GgufElementType, length: number, skip: boolean): GgufArray {
  if (type === "string") return readStrings(cursor, length, skip);
  const start = cursor.take(length * valueBytes[type]);
  if (type === "bool") checkBooleans(cursor, start, length);
  if (skip) return { type, length };
  return { type, length, numbers: toNumbers(type, cursor.slice(start, cursor.position).buffer) };
}

function checkBooleans(cursor: Cursor, start: number, length: number): void {
  const bytes = cursor.slice(start, start + length);
  const wrong = bytes.findIndex((byte) => byte > 1);
  if (wrong >= 0) cursor.fail(`holds the byte ${bytes[wrong]} where a boolean must be 0 or 1`, start + wrong);
}

function toNumbers(type: Exclude<GgufElementType, "string">, buffer: ArrayBuffer): GgufNumbers {
  switch (type) {
    case "uint8":
    case "bool":
      return new Uint8Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    case "uint16":
      return new Uint16Array(buffer);
    case "int16":
      return new Int16Array(buffer);
    case "uint32":
      return new Uint32Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "uint64":
      return new BigUint64Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
  }
}

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
    *[Symbol.iterator]() {
      for (let index = 0; index < length; index++) yield decoder.decode(bytesAt(index));
    },
  };
}
