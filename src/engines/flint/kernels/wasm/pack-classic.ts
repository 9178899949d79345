/** Packing of types with blocks of 32 weights. The nibbles of their files are in the order of the layout. */
import { recordBytes } from "../../weights/layout.ts";
import type { CodedLayout } from "../../weights/layout.ts";
import { layoutOf } from "../../weights/pack.ts";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { Code } from "./code.ts";
import { i32, i8x16, select, v128 } from "./instructions.ts";
import type { CodePart, PackFormat, PackFormats, PackStep } from "./pack-format.ts";
import { copyShort, eachRow, writeParts } from "./pack-format.ts";

type Scale = (target: Code, row: Code, to: number) => Code;

interface ClassicType {
  readonly parts: readonly CodePart[];
  /** f16 numbers after the codes: scales, then minima. */
  readonly scales: readonly Scale[];
}

function classic(type: GgmlTypeName, { parts, scales }: ClassicType): readonly [GgmlTypeName, PackFormat] {
  const layout = layoutOf(type) as CodedLayout;
  const codeBytes = layout.bits * 32;
  const write = (step: PackStep): Code => [
    ...writeParts(step, parts),
    ...eachRow(step, (row, lane) =>
      scales.flatMap((scale, index) => scale(step.target.get, row, codeBytes + index * 16 + lane)),
    ),
  ];
  return [type, { weights: 32, targetBytes: recordBytes(layout), write }];
}

const words = (from: number): CodePart => ({ offset: 0, codes: (row) => v128.load(row, from) });

const signed = (from: number, offset: number): CodePart => ({
  offset,
  codes: (row) => v128.xor(v128.load(row, from), v128.const8(0x80)),
});

/** 32 bits, those of the fifth bits of the codes, where upper bits of weights i and 16 + i stand side by side. */
const fifthBits = (from: number): CodePart => ({
  offset: 128,
  upper: true,
  codes: (row) => v128.or(spread(row, { from, first: 0, bit: 1 }), spread(row, { from, first: 2, bit: 4 })),
});

interface Spread {
  readonly from: number;
  /** First byte. */
  readonly first: number;
  /** What a bit that is set becomes. */
  readonly bit: number;
}

/** 16 bits as bytes. */
function spread(row: Code, { from, first, bit }: Spread): Code {
  const each = Array.from({ length: 16 }, (_, index) => 1 << (index & 7));
  const all = v128.load32splat(row, from);
  const bytes = i8x16.shuffle(
    all,
    all,
    Array.from({ length: 16 }, (_, index) => first + (index >> 3)),
  );
  const set = i8x16.eq(v128.and(bytes, v128.constBytes(each)), v128.constBytes(each));
  return v128.and(set, v128.const8(bit));
}

const half =
  (from: number): Scale =>
  (target, row, to) =>
    copyShort(target, row, { from, to });

/** A minimum that the file adds and the layout subtracts. */
const negative =
  (from: number): Scale =>
  (target, row, to) =>
    i32.store16(target, i32.xor(i32.load16u(row, from), i32.const(0x8000)), to);

/** A power of two with a bias of 128, as f16: from 2^-14 up its exponent, from 2^-24 up one bit, or 0. */
const power: Scale = (target, row, to) => {
  const exponent = i32.load8u(row);
  const from = (least: number): Code => i32.sub(exponent, i32.const(least));
  const infinite = i32.gtU(exponent, i32.const(143));
  const normal = i32.shl(select(i32.const(31), from(113), infinite), i32.const(10));
  const subnormal = select(i32.shl(i32.const(1), from(104)), i32.const(0), i32.gtU(exponent, i32.const(103)));
  return i32.store16(target, select(normal, subnormal, i32.gtU(exponent, i32.const(113))), to);
};

export const classicFormats: PackFormats = [
  classic("Q4_0", { parts: [words(2)], scales: [half(0)] }),
  classic("IQ4_NL", { parts: [words(2)], scales: [half(0)] }),
  classic("MXFP4", { parts: [words(1)], scales: [power] }),
  classic("Q4_1", { parts: [words(4)], scales: [half(0), negative(2)] }),
  classic("Q5_0", { parts: [words(6), fifthBits(2)], scales: [half(0)] }),
  classic("Q5_1", { parts: [words(8), fifthBits(4)], scales: [half(0), negative(2)] }),
  classic("Q8_0", { parts: [signed(2, 0), signed(18, 128)], scales: [half(0)] }),
];
