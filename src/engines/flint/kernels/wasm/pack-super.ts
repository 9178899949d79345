/** Packing of the k-quants: codes are paired anew, sub-scales stay small integers. `weights/codecs/k.ts` says how the files have them. */
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { SuperLayout, SuperRecord } from "../../weights/layout.ts";
import { superRecord, superWidth } from "../../weights/layout.ts";
import { layoutOf } from "../../weights/pack.ts";
import type { Code, Local } from "./code.ts";
import { sequence } from "./code.ts";
import { i32, i32x4, v128 } from "./instructions.ts";
import type { CodePart, PackFormat, PackFormats, PackStep } from "./pack-format.ts";
import { copyShort, eachRow, highHalves, lowHalves, pairHalves, plane, writeParts } from "./pack-format.ts";

interface SuperType {
  /** The lower four bits of the codes of a block of 32, and those above. */
  readonly low: (row: Code, block: number) => Code;
  readonly upper?: (row: Code, block: number) => Code;
  readonly scales: (place: ScalePlace) => Code;
  /** Where the file has d, and dmin. */
  readonly d: number;
  readonly dmin?: number;
}

interface ScalePlace {
  readonly row: Code;
  readonly target: Code;
  /** Offsets of the first pair of scales and of minima of this row. */
  readonly scales: number;
  readonly mins: number;
  readonly words: readonly Local[];
  readonly vector: Local;
}

function packed(type: GgmlTypeName, source: SuperType): readonly [GgmlTypeName, PackFormat] {
  const record = superRecord(layoutOf(type) as SuperLayout);
  const write = (step: PackStep): Code =>
    sequence(writeParts(step, partsOf(source, record)), writeScales(step, source, record));
  return [type, { weights: superWidth, targetBytes: record.bytes, write }];
}

function partsOf({ low, upper }: SuperType, { codes, blockBytes }: SuperRecord): CodePart[] {
  return Array.from({ length: 8 }, (_, block): CodePart[] => [
    { offset: codes + block * blockBytes, codes: (row) => low(row, block) },
    ...(upper
      ? [{ offset: codes + block * blockBytes + 128, upper: true, codes: (row: Code) => upper(row, block) }]
      : []),
  ]).flat();
}

function writeScales(step: PackStep, source: SuperType, record: SuperRecord): Code {
  const words = step.scope.locals("i32", 3);
  const vector = step.scope.local("v128");
  const target = step.target.get;
  return eachRow(step, (row, lane) =>
    sequence(
      source.scales({ row, target, scales: record.scales + lane, mins: record.mins + lane, words, vector }),
      copyShort(target, row, { from: source.d, to: record.d + lane }),
      source.dmin === undefined ? [] : copyShort(target, row, { from: source.dmin, to: record.dmin + lane }),
    ),
  );
}

/** Bytes from one pair of groups to the next. */
const pairBytes = 16;

/** Four scales of a row, two pairs. */
function storeWord(target: Code, word: Code, offset: number): Code {
  return sequence(
    i32.store16(target, word, offset),
    i32.store16(target, i32.shrU(word, i32.const(16)), offset + pairBytes),
  );
}

/** Sixteen scales of a row. */
function storeVector(target: Code, vector: Code, offset: number): Code {
  return sequence(
    ...Array.from({ length: 8 }, (_, pair) => v128.store16lane(target, vector, pair, offset + pair * pairBytes)),
  );
}

const besides = ([low, high]: readonly [Code, Code]): Code => v128.or(low, i32x4.shl(high, i32.const(2)));

/** The lower or the upper halves of a run of 32 bytes. */
function halvesOf(row: Code, from: number, upper: boolean): Code {
  const take = upper ? highHalves : lowHalves;
  return pairHalves(take(v128.load(row, from)), take(v128.load(row, from + 16)));
}

const smallBits = i32.const(0x3f3f3f3f);
const halfBits = i32.const(0x0f0f0f0f);
const twoBits = i32.const(0x03030303);

/** Eight scales and eight minima of six bits. */
function sixBits({ row, target, scales, mins, words }: ScalePlace): Code {
  const [first, second, both] = words as readonly [Local, Local, Local];
  const late = (halves: Code, early: Local): Code =>
    i32.or(i32.and(halves, halfBits), i32.and(i32.shrU(early.get, i32.const(2)), i32.const(0x30303030)));
  return sequence(
    first.set(i32.load(row, 4)),
    second.set(i32.load(row, 8)),
    both.set(i32.load(row, 12)),
    storeWord(target, i32.and(first.get, smallBits), scales),
    storeWord(target, i32.and(second.get, smallBits), mins),
    first.set(late(both.get, first)),
    second.set(late(i32.shrU(both.get, i32.const(4)), second)),
    storeWord(target, first.get, scales + 2 * pairBytes),
    storeWord(target, second.get, mins + 2 * pairBytes),
  );
}

/** Sixteen scales of six bits less 32. */
function lessThirtyTwo({ row, target, scales, words }: ScalePlace): Code {
  const [word] = words as readonly [Local];
  return sequence(
    ...[0, 1, 2, 3].map((index) => {
      const halves = i32.shrU(i32.load(row, 96 + (index & 1) * 4), i32.const((index >> 1) * 4));
      const upper = i32.and(i32.shrU(i32.load(row, 104), i32.const(index * 2)), twoBits);
      const code = i32.or(i32.and(halves, halfBits), i32.shl(upper, i32.const(4)));
      // Bit 5 turned about is the sign; it is spread over the two bits above.
      const sign = i32.and(word.get, i32.const(0x20202020));
      const spread = i32.or(i32.shl(sign, i32.const(1)), i32.shl(sign, i32.const(2)));
      return sequence(
        word.set(i32.xor(code, i32.const(0x20202020))),
        word.set(i32.or(word.get, spread)),
        storeWord(target, word.get, scales + index * 2 * pairBytes),
      );
    }),
  );
}

export const superFormats: PackFormats = [
  packed("Q2_K", {
    low: (row, block) => pairHalves(...plane(row, 16 + (block >> 2) * 32, { bits: 2, index: block & 3 })),
    scales: ({ row, target, scales, mins, vector }) =>
      sequence(
        vector.set(lowHalves(v128.load(row))),
        storeVector(target, vector.get, scales),
        vector.set(highHalves(v128.load(row))),
        storeVector(target, vector.get, mins),
      ),
    d: 80,
    dmin: 82,
  }),
  packed("Q3_K", {
    low(row, block) {
      const [low, high] = plane(row, 32 + (block >> 2) * 32, { bits: 2, index: block & 3 });
      const [third, highThird] = plane(row, 0, { bits: 1, index: block });
      return pairHalves(besides([low, third]), besides([high, highThird]));
    },
    scales: lessThirtyTwo,
    d: 108,
  }),
  packed("Q4_K", {
    low: (row, block) => halvesOf(row, 16 + (block >> 1) * 32, block % 2 === 1),
    scales: sixBits,
    d: 0,
    dmin: 2,
  }),
  packed("Q5_K", {
    low: (row, block) => halvesOf(row, 48 + (block >> 1) * 32, block % 2 === 1),
    upper: (row, block) => besides(plane(row, 16, { bits: 1, index: block })),
    scales: sixBits,
    d: 0,
    dmin: 2,
  }),
  packed("Q6_K", {
    low: (row, block) => halvesOf(row, (block >> 2) * 64 + (block & 1) * 32, (block & 2) !== 0),
    upper: (row, block) => besides(plane(row, 128 + (block >> 2) * 32, { bits: 2, index: block & 3 })),
    scales: ({ row, target, scales, vector }) =>
      sequence(vector.set(v128.load(row, 192)), storeVector(target, vector.get, scales)),
    d: 208,
  }),
];
