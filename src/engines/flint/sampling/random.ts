/**
 * xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018): four 32-bit words, integer
 * arithmetic only, so the same seed gives the same numbers on every platform.
 */
export interface Random {
  /** The next number from 0 to below 1, with 53 random bits. */
  next(): number;
  /** One that goes on with the same numbers. */
  clone(): Random;
}

/** A whole number seeds it, all of its 53 bits and the sign; without one it starts anywhere. */
export function createRandom(seed?: number): Random {
  return openRandom(seed === undefined ? crypto.getRandomValues(new Uint32Array(4)) : seedWords(Math.floor(seed)));
}

function openRandom(words: Uint32Array): Random {
  let [a = 0, b = 0, c = 0, d = 0] = words;
  // The state of zeros is the one it never leaves.
  if ((a | b | c | d) === 0) a = 1;
  const step = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
  return {
    next: () => ((step() >>> 5) * 2 ** 26 + (step() >>> 6)) / 2 ** 53,
    clone: () => openRandom(Uint32Array.of(a, b, c, d)),
  };
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Neighbouring seeds must not give neighbouring streams: each word is mixed as in SplitMix. */
function seedWords(seed: number): Uint32Array {
  let state = mix(Math.floor(seed / 2 ** 32) >>> 0) ^ (seed >>> 0);
  return Uint32Array.from({ length: 4 }, () => {
    state = (state + 0x9e3779b9) | 0;
    return mix(state);
  });
}

function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
