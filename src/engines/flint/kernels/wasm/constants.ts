/**
 * Constants that kernels load once into a variable: the compiler would write three instructions for every use of a
 * `v128.const`. They stand at a fixed place of every memory.
 */
import type { Code, Local, Scope } from "./code.ts";
import { i32, v128 } from "./instructions.ts";

const address = 64;

/** 32-bit patterns by name; the order is their place in memory. */
const patterns = {
  nibble: 0x0f0f0f0f,
  /** The upper two bits of a six-bit code. */
  crumb: 0x30303030,
  /** Pairs of 16 bits. */
  ones: 0x00010001,
  sixteens: 0x00100010,
  /** 8 · 17. */
  seventeens: 0x00880088,
  /** Parts of codes of the planes `grid2`. */
  low3: 0x07070707,
  bit3: 0x08080808,
  /** f16 moved up by 13 bits, its sign spread: what to keep, and what to multiply with. */
  halfSign: 0x8fffffff,
  halfScale: 0x77800000,
  /** An eighth of it. */
  halfScale8: 0x76000000,
  /** The lower of two 16-bit numbers. */
  lowHalf: 0x0000ffff,
  /** Rounding to f16; see `half.ts`. */
  halfDown: 0x08800000,
  halfExponent: 0xff000000,
  halfLeast: 0x71000000,
  halfBias: 0x07800000,
  halfExponentBits: 0x7c00,
  halfMantissaBits: 0x0fff,
  halfSignBit: 0x8000,
  halfNaN: 0x7e00,
  /** Sign bits of the even lanes' rotation; see `rope.ts`. */
  signBit: 0x80000000,
  /** Exponents of half of 2^0, and of half of 2^96; see `exp.ts`. */
  expBias: 0x3f000000,
  expWeightBias: 0x6f000000,
} as const;

/** Numbers by name, each a float32. */
const numbers = {
  one: 1,
  half: 0.5,
  minusOne: -1,
  minusTwo: -2,
  /** exp: range, 1 / ln 2, a number whose last bit is worth 1, ln 2 in two parts, and the coefficients times 2. */
  expLow: -87.4,
  expHigh: 89,
  expInverse: 1.44269502,
  expRound: 12_582_912,
  expUpper: 0.693359375,
  expLower: -2.1219444e-4,
  exp0: 2,
  exp2: 0.99998403516354,
  exp3: 0.33334266437838,
  exp4: 0.08378899865462,
  exp5: 0.01662409878408,
  /** tanh and erf; see `saturating.ts`. */
  tanhHigh: 8,
  tanhLow: -8,
  tanhP0: 0.9999999935693,
  tanhP1: 0.13444496613734,
  tanhP2: 3.57159640633844e-3,
  tanhP3: 2.189463543475657e-5,
  tanhP4: 1.52303810299259e-8,
  tanhQ1: 0.4677782393272,
  tanhQ2: 0.02616443677012,
  tanhQ3: 3.41128937698321e-4,
  tanhQ4: 8.5224316035036e-7,
  erfHigh: 3.9,
  erfLow: -3.9,
  erfP0: 1.12837914761926,
  erfP1: 0.18966777472294,
  erfP2: 0.05266821160435,
  erfP3: 3.738387871712755e-3,
  erfP4: 2.85063320493318e-4,
  erfP5: 2.06646827323922e-6,
  erfQ1: 0.50142147027932,
  erfQ2: 0.11381935391217,
  erfQ3: 0.01491436034346,
  erfQ4: 1.15738665747914e-3,
  erfQ5: 3.82700279379167e-5,
  rootHalf: 0.70710677,
  /** gelu-tanh: twice √(2/π), and that times 0.044715, negative. */
  geluLinear: -1.5957691216,
  geluCubic: -0.0713548163,
  /** gelu-quick: x · sigmoid(1.702 x). */
  geluQuick: -1.702,
} as const;

export type ConstantName = keyof typeof patterns | keyof typeof numbers;

const names = [...Object.keys(patterns), ...Object.keys(numbers)] as ConstantName[];

/** First byte of a memory that is free for other things. */
export const constantsEnd = 1024;

/** A vector with the constant in all four lanes. */
export function constant(name: ConstantName): Code {
  return v128.load32splat(i32.const(address), names.indexOf(name) * 4);
}

export function writeConstants(memory: WebAssembly.Memory): void {
  const words = Object.values(patterns).map((pattern) => pattern >>> 0);
  new Uint32Array(memory.buffer, address, words.length).set(words);
  new Float32Array(memory.buffer, address + words.length * 4, Object.keys(numbers).length).set(Object.values(numbers));
}

/** The constants of one function, each loaded once. */
export interface Constants {
  (name: ConstantName): Code;
  /** Loads those that were asked for so far; goes to the function's begin. */
  load(): Code;
}

export function constantsOf(scope: Scope): Constants {
  const locals = new Map<ConstantName, Local>();
  const get = (name: ConstantName): Code => {
    const local = locals.get(name) ?? scope.local("v128");
    locals.set(name, local);
    return local.get;
  };
  return Object.assign(get, { load: () => [...locals].flatMap(([name, local]) => local.set(constant(name))) });
}
