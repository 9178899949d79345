import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";

/** The number of blocks of a run. RangeError: not whole blocks, or not enough bytes or room for codes. */
export function countBlocks(type: GgmlTypeName, source: Uint8Array, weights: number, codes: Uint8Array): number {
  const { blockSize, blockBytes } = ggmlType(type);
  const blocks = weights / blockSize;
  if (!Number.isInteger(blocks)) throw new RangeError(`${weights} weights are not whole blocks of ${type}`);
  if (source.length < blocks * blockBytes)
    throw new RangeError(`${weights} weights of ${type} need ${blocks * blockBytes} bytes, there are ${source.length}`);
  if (codes.length < weights) throw new RangeError(`${weights} codes do not fit into ${codes.length} bytes`);
  return blocks;
}

/** The codes as 16-bit words, to be written. RangeError: they start at an odd place. */
export function codeShorts(codes: Uint8Array): Uint16Array {
  return new Uint16Array(codes.buffer, codes.byteOffset, codes.length >> 1);
}

/** The codes as 32-bit words, to be written. RangeError: they do not start at a multiple of four bytes. */
export function codeWords(codes: Uint8Array): Int32Array {
  return new Int32Array(codes.buffer, codes.byteOffset, codes.length >> 2);
}

/** The bytes of blocks as 16-bit words in the machine's order; copied where they stand at an odd place. */
export function shortsOf(source: Uint8Array): Uint16Array {
  const bytes = source.byteOffset % 2 === 0 ? source : source.slice();
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
}

/** The same as 32-bit words; signed, because V8 keeps those in registers. */
export function wordsOf(source: Uint8Array): Int32Array {
  const bytes = source.byteOffset % 4 === 0 ? source : source.slice();
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}

/** Two bytes, the low one first. */
export function readShort(source: Uint8Array, at: number): number {
  return source[at]! | (source[at + 1]! << 8);
}

/** The lowest four bits, one in each byte. */
export function spreadBits(bits: number): number {
  return Math.imul(bits & 15, 0x00204081) & 0x01010101;
}
