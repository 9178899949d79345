/** The wire format of protocol buffers, as far as `tokenizer.model` needs it: https://protobuf.dev/programming-guides/encoding/ */
import { malformed } from "../json.ts";

export type FieldValue = number | Uint8Array;

const file = "tokenizer.model";

/** Calls `take` with each field: numbers for varints and 32 bits (as their bits), bytes for what has a length. */
export function readFields(bytes: Uint8Array, take: (field: number, value: FieldValue) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed(file, "protobuf", `ends inside a number, at byte ${at}`);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw malformed(file, "protobuf", `has a number of more than ten bytes, at byte ${at}`);
  };
  const skip = (count: number): number => {
    const start = at;
    at += count;
    if (!(count >= 0 && at <= bytes.length)) throw malformed(file, "protobuf", `ends before byte ${at}`);
    return start;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        take(field, varint());
        break;
      case 1:
        skip(8);
        break;
      case 2: {
        const length = varint();
        const start = skip(length);
        take(field, bytes.subarray(start, start + length));
        break;
      }
      case 5:
        take(field, view.getUint32(skip(4), true));
        break;
      default:
        throw malformed(file, "protobuf", `has a field of the unknown kind ${tag % 8} before byte ${at}`);
    }
  }
}

const bits = new DataView(new ArrayBuffer(4));

/** The float32 with these bits. */
export function floatOfBits(value: number): number {
  bits.setUint32(0, value);
  return bits.getFloat32(0);
}
