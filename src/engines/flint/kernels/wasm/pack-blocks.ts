/**
 * Packing of types with super-blocks of 256 weights whose layout has one scale, f16, for each group: both levels of
 * scales of the file are multiplied.
 */
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import type { CodedLayout } from "../../weights/layout.ts";
import { recordBytes } from "../../weights/layout.ts";
import { codecOf } from "../../weights/codecs/table.ts";
import type { Recoding } from "../../weights/recode.ts";
import { recode } from "../../weights/recode.ts";
import { layoutOf } from "../../weights/pack.ts";
import type { Code } from "./code.ts";
import { sequence } from "./code.ts";
import type { Constants } from "./constants.ts";
import { toHalf } from "./half.ts";
import { f32x4, i32, i32x4, v128 } from "./instructions.ts";
import type { PackFormat, PackStep } from "./pack-format.ts";
import { eachRow, writeParts } from "./pack-format.ts";

export interface BlockType {
  /** The codes of a block of a row as halves of bytes, with the names of `recodingOf`; `table`: where `table()` stands. */
  readonly codes: (row: Code, block: number, table: Code) => Code;
  /** Four sub-scales as integers of 32 bits, from group `4 · quad` on. */
  readonly subScales: (row: Code, quad: number) => Code;
  /** The f16 scale of a row in every lane of 16 bits, and what it is multiplied with. */
  readonly d: (row: Code) => Code;
  readonly factor: number;
  readonly table?: () => Uint8Array;
}

const blocks = 8;

/** Other names of codes that the layout wants. */
export function recodingOf(type: GgmlTypeName): Recoding | undefined {
  const table = codecOf(type)?.format.table;
  return table && recode(table);
}

export function blockFormat(type: GgmlTypeName, source: BlockType): readonly [GgmlTypeName, PackFormat] {
  const layout = layoutOf(type) as CodedLayout;
  const record = recordBytes(layout);
  const write = (step: PackStep): Code =>
    sequence(
      writeParts(
        step,
        Array.from({ length: blocks }, (_, block) => ({
          offset: block * record,
          codes: (row: Code) => source.codes(row, block, step.table.get),
        })),
      ),
      writeScales(step, { ...source, factor: source.factor * (recodingOf(type)?.factor ?? 1) }, layout),
    );
  const { table } = source;
  return [type, { weights: blocks * 32, targetBytes: blocks * record, write, ...(table && { table }) }];
}

function writeScales(
  { scope, constants, rows, target, ...step }: PackStep,
  source: BlockType,
  layout: CodedLayout,
): Code {
  const perBlock = 32 / layout.group;
  const d = scope.local("v128");
  const scaled = scope.local("v128");
  const place = (group: number): number =>
    Math.floor(group / perBlock) * recordBytes(layout) + 128 + (group % perBlock) * 16;
  const write = (row: Code, lane: number, quad: number): Code =>
    sequence(
      scaled.set(toHalf({ scope, constants }, f32x4.mul(d.get, f32x4.convert(source.subScales(row, quad))))),
      ...[0, 1, 2, 3].map((index) =>
        v128.store16lane(target.get, scaled.get, index * 2, place(quad * 4 + index) + lane),
      ),
    );
  return eachRow({ scope, constants, rows, target, ...step }, (row, lane) =>
    sequence(
      d.set(f32x4.mul(widen(constants, source.d(row)), v128.constF32(source.factor))),
      ...Array.from({ length: (blocks * perBlock) / 4 }, (_, quad) => write(row, lane, quad)),
    ),
  );
}

function widen(constants: Constants, shorts: Code): Code {
  const bits = i32x4.shl(i32x4.extendLowS(shorts), i32.const(13));
  return f32x4.mul(v128.and(bits, constants("halfSign")), constants("halfScale"));
}

/** Four numbers of `bits` bits that follow each other in the lowest bits of every lane. */
export function unpackLanes(all: Code, bits: 2 | 3 | 4): Code {
  const most = 3 * bits;
  const shifts = [0, 1, 2, 3].flatMap((lane) => [...new Uint8Array(Int32Array.of(1 << (most - lane * bits)).buffer)]);
  const moved = i32x4.shrU(i32x4.mul(all, v128.constBytes(shifts)), i32.const(most));
  return v128.and(moved, v128.const32(2 ** bits - 1));
}

/** 16 bits of memory in each lane of 32. */
export function shortLanes(row: Code, at: number): Code {
  return i32x4.splat(i32.load16u(row, at));
}
