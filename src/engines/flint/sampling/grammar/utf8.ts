import type { CodePoints } from "../../../../formats/grammar/ranges.ts";

/** Bytes that follow each other, a range for each. */
export type ByteSequence = readonly (readonly [number, number])[];

/** The first and last code point of each length in UTF-8, without the surrogates. */
const lengths: readonly (readonly [number, number])[] = [
  [0, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, 0x10ffff],
];

/** The UTF-8 of all code points of a set, as few sequences of byte ranges. */
export function byteSequences(ranges: CodePoints): ByteSequence[] {
  return ranges.flatMap(([from, to]) =>
    lengths.flatMap(([least, most]) => {
      const [first, last] = [Math.max(from, least), Math.min(to, most)];
      return first <= last ? split(first, last) : [];
    }),
  );
}

/** Cuts a range until all bytes behind the first that differ run over their whole range. */
function split(from: number, to: number): ByteSequence[] {
  for (let bits = 6; bits < 6 * encode(to).length; bits += 6) {
    const low = 2 ** bits - 1;
    if ((from & ~low) === (to & ~low)) continue;
    if ((from & low) !== 0) return [...split(from, from | low), ...split((from | low) + 1, to)];
    if ((to & low) !== low) return [...split(from, (to & ~low) - 1), ...split(to & ~low, to)];
  }
  const last = encode(to);
  return [encode(from).map((byte, index) => [byte, last[index] ?? byte])];
}

/** One code point in UTF-8. */
export function encode(code: number): number[] {
  if (code < 0x80) return [code];
  const tail = (shift: number): number => 0x80 | ((code >> shift) & 0x3f);
  if (code < 0x800) return [0xc0 | (code >> 6), tail(0)];
  if (code < 0x10000) return [0xe0 | (code >> 12), tail(6), tail(0)];
  return [0xf0 | (code >> 18), tail(12), tail(6), tail(0)];
}
