/** Codes of a few bits, packed into words of 32 bits. */

export interface PackedCodes {
  readonly words: Uint32Array;
  /** First word, and words from one to the next. */
  readonly start: number;
  readonly step: number;
  /** Codes lie one after the other from the lowest bit up; where 32 is no multiple of `bits` they cross from word to word. */
  readonly bits: number;
}

/** Fills `codes`, one byte each. */
export function unpackCodes(packed: PackedCodes, codes: Uint8Array): void {
  if (packed.bits === 4 && codes.byteOffset % 4 === 0 && codes.length % 8 === 0) unpackNibbles(packed, codes);
  else unpackAny(packed, codes);
}

function unpackNibbles({ words, start, step }: PackedCodes, codes: Uint8Array): void {
  const out = new Int32Array(codes.buffer, codes.byteOffset, codes.length / 4);
  for (let i = 0, from = start; i < out.length; i += 2, from += step) {
    const word = words[from]!;
    out[i] = spreadNibbles(word & 0xffff);
    out[i + 1] = spreadNibbles(word >>> 16);
  }
}

/** Four nibbles as four bytes. */
function spreadNibbles(short: number): number {
  const pairs = (short | (short << 8)) & 0x00ff00ff;
  return (pairs | (pairs << 4)) & 0x0f0f0f0f;
}

function unpackAny({ words, start, step, bits }: PackedCodes, codes: Uint8Array): void {
  const mask = 2 ** bits - 1;
  for (let i = 0, bit = 0; i < codes.length; i++, bit += bits) {
    const from = start + (bit >>> 5) * step;
    const shift = bit & 31;
    let code = words[from]! >>> shift;
    if (shift + bits > 32) code |= words[from + step]! << (32 - shift);
    codes[i] = code & mask;
  }
}

/** The code that all of them are, where that is so and a word holds whole codes. For zero points: read once, nothing unpacked. */
export function uniformCode(words: Uint32Array, bits: number): number | undefined {
  const [first = 0] = words;
  const code = first & (2 ** bits - 1);
  if (32 % bits !== 0 || code * onesOf(bits) !== first) return undefined;
  return words.every((word) => word === first) ? code : undefined;
}

/** A word whose codes are all 1. */
export function onesOf(bits: number): number {
  return 0xffff_ffff / (2 ** bits - 1);
}

/** Words that `count` codes take. */
export function wordsFor(count: number, bits: number): number {
  return Math.ceil((count * bits) / 32);
}

/** Where in a word of an AWQ matrix (AutoAWQ, GEMM) the code of each of eight outputs stands: even places first. */
export const awqShifts: Uint8Array = Uint8Array.of(0, 16, 4, 20, 8, 24, 12, 28);
