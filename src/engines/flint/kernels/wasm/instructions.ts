/** The instructions that the kernels use. Numbers: https://webassembly.github.io/spec/core/appendix/index-instructions.html */
import type { Code } from "./code.ts";
import type { Binary, Load, Store, StoreLane, Ternary, Unary } from "./encode.ts";
import { binary, load, simd, store, storeLane, ternary, unary } from "./encode.ts";
import { float32, signed, unsigned } from "./leb.ts";
import { currentLevel } from "./simd.ts";

/** The first operand if the condition is not 0, else the second; both were computed. */
export const select: Ternary = ternary(0x1b);

/** Copies bytes within memory 0; the ranges may overlap. */
export const copyMemory = (target: Code, source: Code, bytes: Code): Code => [
  ...target,
  ...source,
  ...bytes,
  0xfc,
  ...unsigned(10),
  0x00,
  0x00,
];

/** Sets bytes of memory 0 to a value. */
export const fillMemory = (target: Code, value: Code, bytes: Code): Code => [
  ...target,
  ...value,
  ...bytes,
  0xfc,
  ...unsigned(11),
  0x00,
];

interface I32Instructions {
  readonly const: (value: number) => Code;
  readonly load: Load;
  readonly load8u: Load;
  readonly load16u: Load;
  readonly load16s: Load;
  readonly load8s: Load;
  readonly store: Store;
  readonly store8: Store;
  readonly store16: Store;
  readonly eqz: Unary;
  readonly eq: Binary;
  readonly ne: Binary;
  readonly ltS: Binary;
  readonly ltU: Binary;
  readonly gtS: Binary;
  readonly gtU: Binary;
  readonly leS: Binary;
  readonly geS: Binary;
  readonly geU: Binary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly divU: Binary;
  readonly remU: Binary;
  readonly and: Binary;
  readonly or: Binary;
  readonly xor: Binary;
  readonly shl: Binary;
  readonly shrS: Binary;
  readonly shrU: Binary;
  readonly truncF32: Unary;
  readonly truncSatF32U: Unary;
  readonly reinterpret: Unary;
}

export const i32: I32Instructions = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load: load(0x28),
  load8u: load(0x2d),
  load16u: load(0x2f),
  load16s: load(0x2e),
  load8s: load(0x2c),
  store: store(0x36),
  store8: store(0x3a),
  store16: store(0x3b),
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  ltS: binary(0x48),
  ltU: binary(0x49),
  gtS: binary(0x4a),
  gtU: binary(0x4b),
  leS: binary(0x4c),
  geS: binary(0x4e),
  geU: binary(0x4f),
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  divU: binary(0x6e),
  remU: binary(0x70),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shl: binary(0x74),
  shrS: binary(0x75),
  shrU: binary(0x76),
  truncF32: unary(0xa8),
  truncSatF32U: unary(0xfc, 0x01),
  reinterpret: unary(0xbc),
};

interface F32Instructions {
  readonly const: (value: number) => Code;
  readonly load: Load;
  readonly store: Store;
  readonly lt: Binary;
  readonly gt: Binary;
  readonly abs: Unary;
  readonly neg: Unary;
  readonly nearest: Unary;
  readonly sqrt: Unary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div: Binary;
  readonly min: Binary;
  readonly max: Binary;
  readonly convert: Unary;
  readonly reinterpret: Unary;
}

export const f32: F32Instructions = {
  const: (value: number): Code => [0x43, ...float32(value)],
  load: load(0x2a),
  store: store(0x38),
  lt: binary(0x5d),
  gt: binary(0x5e),
  abs: unary(0x8b),
  neg: unary(0x8c),
  nearest: unary(0x90),
  sqrt: unary(0x91),
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  div: binary(0x95),
  min: binary(0x96),
  max: binary(0x97),
  convert: unary(0xb2),
  reinterpret: unary(0xbe),
};

interface V128Instructions {
  readonly const32: (value: number) => Code;
  readonly const16: (value: number) => Code;
  readonly const8: (value: number) => Code;
  readonly constBytes: (bytes: readonly number[]) => Code;
  readonly constF32: (value: number) => Code;
  readonly load: Load;
  readonly load8x8s: Load;
  readonly load8x8u: Load;
  readonly load16x4s: Load;
  readonly load16x4u: Load;
  readonly load8splat: Load;
  readonly load16splat: Load;
  readonly load32splat: Load;
  readonly load64splat: Load;
  readonly load32zero: Load;
  readonly load64zero: Load;
  readonly store: Store;
  readonly store8lane: StoreLane;
  readonly store16lane: StoreLane;
  readonly store32lane: StoreLane;
  readonly store64lane: StoreLane;
  readonly not: Unary;
  readonly and: Binary;
  readonly andnot: Binary;
  readonly or: Binary;
  readonly xor: Binary;
  readonly bitselect: Ternary;
}

export const v128: V128Instructions = {
  const32: (value: number): Code => [...simd(12), ...Array.from({ length: 4 }, () => lane32(value)).flat()],
  const16: (value: number): Code => [
    ...simd(12),
    ...Array.from({ length: 8 }, () => [value & 0xff, (value >> 8) & 0xff]).flat(),
  ],
  const8: (value: number): Code => [...simd(12), ...Array.from({ length: 16 }, () => value & 0xff)],
  constBytes: (bytes: readonly number[]): Code => [...simd(12), ...bytes.map((byte) => byte & 0xff)],
  constF32: (value: number): Code => [...simd(12), ...Array.from({ length: 4 }, () => float32(value)).flat()],
  load: load(...simd(0)),
  load8x8s: load(...simd(1)),
  load8x8u: load(...simd(2)),
  load16x4s: load(...simd(3)),
  load16x4u: load(...simd(4)),
  load8splat: load(...simd(7)),
  load16splat: load(...simd(8)),
  load32splat: load(...simd(9)),
  load64splat: load(...simd(10)),
  load32zero: load(...simd(92)),
  load64zero: load(...simd(93)),
  store: store(...simd(11)),
  store8lane: storeLane(...simd(88)),
  store16lane: storeLane(...simd(89)),
  store32lane: storeLane(...simd(90)),
  store64lane: storeLane(...simd(91)),
  not: unary(...simd(77)),
  and: binary(...simd(78)),
  andnot: binary(...simd(79)),
  or: binary(...simd(80)),
  xor: binary(...simd(81)),
  bitselect: ternary(...simd(82)),
};

function lane32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

interface I8x16Instructions {
  readonly shuffle: (a: Code, b: Code, lanes: readonly number[]) => Code;
  readonly swizzle: Binary;
  /** The indices must be below 16; others give what the platform likes. */
  readonly relaxedSwizzle: (a: Code, b: Code) => Code;
  readonly splat: Unary;
  readonly eq: Binary;
  readonly narrow16s: Binary;
  readonly narrow16u: Binary;
  readonly shrU: Binary;
  readonly shl: Binary;
  readonly add: Binary;
  readonly sub: Binary;
}

export const i8x16: I8x16Instructions = {
  shuffle: (a: Code, b: Code, lanes: readonly number[]): Code => [...a, ...b, ...simd(13), ...lanes],
  swizzle: binary(...simd(14)),
  relaxedSwizzle: (a: Code, b: Code): Code => binary(...simd(currentLevel() === "plain" ? 14 : 256))(a, b),
  splat: unary(...simd(15)),
  eq: binary(...simd(35)),
  narrow16s: binary(...simd(101)),
  narrow16u: binary(...simd(102)),
  shrU: binary(...simd(109)),
  shl: binary(...simd(107)),
  add: binary(...simd(110)),
  sub: binary(...simd(113)),
};

interface I16x8Instructions {
  readonly splat: Unary;
  readonly narrow32s: Binary;
  readonly narrow32u: Binary;
  readonly extendLowS: Unary;
  readonly extendHighS: Unary;
  readonly extendLowU: Unary;
  readonly extendHighU: Unary;
  readonly shl: Binary;
  readonly shrS: Binary;
  readonly shrU: Binary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly extmulLowS: Binary;
  readonly extmulHighS: Binary;
  readonly extaddPairwiseS: Unary;
  /** Sums of two neighbouring products; `b` must lie within 0 to 127. */
  readonly relaxedDot: (a: Code, b: Code) => Code;
}

export const i16x8: I16x8Instructions = {
  splat: unary(...simd(16)),
  narrow32s: binary(...simd(133)),
  narrow32u: binary(...simd(134)),
  extendLowS: unary(...simd(135)),
  extendHighS: unary(...simd(136)),
  extendLowU: unary(...simd(137)),
  extendHighU: unary(...simd(138)),
  shl: binary(...simd(139)),
  shrS: binary(...simd(140)),
  shrU: binary(...simd(141)),
  add: binary(...simd(142)),
  sub: binary(...simd(145)),
  mul: binary(...simd(149)),
  extmulLowS: binary(...simd(156)),
  extmulHighS: binary(...simd(157)),
  extaddPairwiseS: unary(...simd(124)),
  relaxedDot: (a: Code, b: Code): Code => (currentLevel() === "plain" ? plainDot(a, b) : binary(...simd(274))(a, b)),
};

interface I32x4Instructions {
  readonly splat: Unary;
  readonly extract: (a: Code, lane: number) => Code;
  readonly extendLowS: Unary;
  readonly extendHighS: Unary;
  readonly extendLowU: Unary;
  readonly extendHighU: Unary;
  readonly shl: Binary;
  readonly shrS: Binary;
  readonly shrU: Binary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly dot16: Binary;
  readonly extaddPairwiseS: Unary;
  readonly gtS: Binary;
  readonly maxU: Binary;
  readonly truncSat: Unary;
}

export const i32x4: I32x4Instructions = {
  splat: unary(...simd(17)),
  extract: (a: Code, lane: number): Code => [...a, ...simd(27), lane],
  extendLowS: unary(...simd(167)),
  extendHighS: unary(...simd(168)),
  extendLowU: unary(...simd(169)),
  extendHighU: unary(...simd(170)),
  shl: binary(...simd(171)),
  shrS: binary(...simd(172)),
  shrU: binary(...simd(173)),
  add: binary(...simd(174)),
  sub: binary(...simd(177)),
  mul: binary(...simd(181)),
  dot16: binary(...simd(186)),
  extaddPairwiseS: unary(...simd(126)),
  gtS: binary(...simd(59)),
  maxU: binary(...simd(185)),
  truncSat: unary(...simd(248)),
};

interface F32x4Instructions {
  readonly splat: Unary;
  readonly extract: (a: Code, lane: number) => Code;
  readonly ne: Binary;
  readonly lt: Binary;
  readonly gt: Binary;
  readonly nearest: Unary;
  readonly abs: Unary;
  readonly neg: Unary;
  readonly sqrt: Unary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div: Binary;
  readonly min: Binary;
  readonly max: Binary;
  readonly pmin: Binary;
  readonly pmax: Binary;
  readonly convert: Unary;
  /** a · b + c, and c - a · b; one rounding at the relaxed level, two at the plain one. */
  readonly relaxedMadd: (a: Code, b: Code, c: Code) => Code;
  readonly relaxedNmadd: (a: Code, b: Code, c: Code) => Code;
}

export const f32x4: F32x4Instructions = {
  splat: unary(...simd(19)),
  extract: (a: Code, lane: number): Code => [...a, ...simd(31), lane],
  ne: binary(...simd(66)),
  lt: binary(...simd(67)),
  gt: binary(...simd(68)),
  nearest: unary(...simd(106)),
  abs: unary(...simd(224)),
  neg: unary(...simd(225)),
  sqrt: unary(...simd(227)),
  add: binary(...simd(228)),
  sub: binary(...simd(229)),
  mul: binary(...simd(230)),
  div: binary(...simd(231)),
  min: binary(...simd(232)),
  max: binary(...simd(233)),
  pmin: binary(...simd(234)),
  pmax: binary(...simd(235)),
  convert: unary(...simd(250)),
  relaxedMadd: (a: Code, b: Code, c: Code): Code =>
    currentLevel() === "plain" ? binary(...simd(228))(c, binary(...simd(230))(a, b)) : ternary(...simd(261))(a, b, c),
  relaxedNmadd: (a: Code, b: Code, c: Code): Code =>
    currentLevel() === "plain" ? binary(...simd(229))(c, binary(...simd(230))(a, b)) : ternary(...simd(262))(a, b, c),
};

/** Products of 8 bits fit into 16; those of neighbours are told apart by a shuffle and added. */
function plainDot(a: Code, b: Code): Code {
  const even = [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29];
  const odd = even.map((lane) => lane + 2);
  const low = binary(...simd(156))(a, b);
  const high = binary(...simd(157))(a, b);
  const pick = (lanes: readonly number[]): Code => [...low, ...high, ...simd(13), ...lanes];
  return binary(...simd(142))(pick(even), pick(odd));
}
