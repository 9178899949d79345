/** How the codes of a block come out of its record: which vectors to load, and what to do to get codes of 0 to 127. */
import type { CodedLayout } from "../../weights/layout.ts";
import type { Code } from "./code.ts";
import { i8x16, i16x8, i32, v128 } from "./instructions.ts";

type Constants = (name: "nibble" | "crumb" | "ones" | "sixteens" | "low3" | "bit3") => Code;

/** Codes of 4 neighbouring k of 8 rows. */
export interface Plane {
  /** First k of the block that the codes belong to. */
  readonly k: number;
  readonly accumulator: number;
  /** Products of codes and activations whose sum fits into 16 bits. */
  readonly limit: number;
  /** Sums begin with -4 · the sum of the activations, in both lanes of a row: an offset of 8 for free. */
  readonly startsWithSum: boolean;
  extract(raw: readonly Code[], constants: Constants): Code;
}

export interface Step {
  /** Offsets in the record of the vectors to load. */
  readonly sources: readonly number[];
  readonly planes: readonly Plane[];
}

/** Weights that share a scale. */
export interface Section {
  readonly steps: readonly Step[];
  /** What each accumulator's sum counts for: constants of pairs of 16 bits. */
  readonly planes: readonly { readonly factor: "ones" | "sixteens" | "seventeens" }[];
  readonly start: boolean;
  readonly scaleAt: number;
  readonly minAt?: number;
  /** What is left to subtract from every code. */
  readonly offset: number;
  readonly sum: "sum" | "firstHalf" | "lastHalf";
}

export function blockCodes(layout: CodedLayout): { readonly sections: readonly Section[] } {
  const codeBytes = layout.bits * 32;
  const groups = 32 / layout.group;
  const free =
    layout.group === 32 &&
    !layout.table &&
    ((layout.bits === 4 && layout.offset === 8) || (layout.bits === 8 && layout.offset === 128));
  const sections = Array.from({ length: groups }, (_, index): Section => ({
    steps: stepsOf(layout, groups === 1 ? undefined : index, free),
    planes: factorsOf(layout),
    start: free,
    scaleAt: codeBytes + index * 16,
    ...(layout.hasMin && { minAt: codeBytes + groups * 16 + index * 16 }),
    offset: free ? 0 : layout.offset,
    sum: groups === 1 ? "sum" : index === 0 ? "firstHalf" : "lastHalf",
  }));
  return { sections };
}

function factorsOf(layout: CodedLayout): Section["planes"] {
  if (layout.planes === "grid2") return [{ factor: "seventeens" }, { factor: "ones" }];
  if (layout.bits === 8 || wideTable(layout)) return [{ factor: "ones" }, { factor: "sixteens" }];
  return [{ factor: "ones" }];
}

/** Values above 127 need two tables of nibbles. */
function wideTable({ table }: CodedLayout): boolean {
  return table !== undefined && Math.max(...table) > 127;
}

function limitOf(most: number): number {
  return Math.floor(32_767 / (2 * 127 * most));
}

/** Steps of a whole block, or of its first or last 16 weights. */
function stepsOf(layout: CodedLayout, half: number | undefined, free: boolean): Step[] {
  switch (layout.bits) {
    case 8:
      return byteSteps(half, free);
    case 6:
      return [0, 1, 2, 3].map((q) => ({
        sources: [q * 32, 128 + (q >> 1) * 32],
        planes: nibbles(half).map((high) => sixBits(q, high)),
      }));
    case 4:
      return [0, 1, 2, 3].map((q) => ({
        sources: [q * 32],
        planes: nibbles(half).flatMap((high) => fourBits(layout, q, high, free)),
      }));
  }
}

/** Steps over plain codes of 4 or 6 bits: those of a whole block, or of its first or last 16 weights. */
export function plainSteps(bits: 4 | 6, half: number | undefined): Step[] {
  return stepsOf({ kind: "coded", bits, group: half === undefined ? 32 : 16, offset: 0, hasMin: false }, half, false);
}

function nibbles(half: number | undefined): (0 | 1)[] {
  if (half === undefined) return [0, 1];
  return half === 0 ? [0] : [1];
}

function nibble(raw: Code, high: 0 | 1, constants: Constants): Code {
  return v128.and(high === 0 ? raw : i16x8.shrU(raw, i32.const(4)), constants("nibble"));
}

function fourBits(layout: CodedLayout, q: number, high: 0 | 1, free: boolean): Plane[] {
  const base = { k: high * 16 + q * 4, startsWithSum: free };
  const { table, planes } = layout;
  if (planes === "grid2") {
    const part = (name: "low3" | "bit3", accumulator: number, most: number): Plane => ({
      ...base,
      accumulator,
      limit: limitOf(most),
      extract: ([raw = []], constants) => v128.and(high === 0 ? raw : i16x8.shrU(raw, i32.const(4)), constants(name)),
    });
    return [part("low3", 0, 7), part("bit3", 1, 8)];
  }
  if (!table) {
    return [
      { ...base, accumulator: 0, limit: limitOf(15), extract: ([raw = []], constants) => nibble(raw, high, constants) },
    ];
  }
  const lookUp = (values: readonly number[], accumulator: number): Plane => ({
    ...base,
    accumulator,
    limit: limitOf(Math.max(...values)),
    extract: ([raw = []], constants) => i8x16.relaxedSwizzle(v128.constBytes(values), nibble(raw, high, constants)),
  });
  if (!wideTable(layout)) return [lookUp(table, 0)];
  return [
    lookUp(
      table.map((value) => value & 15),
      0,
    ),
    lookUp(
      table.map((value) => value >> 4),
      1,
    ),
  ];
}

function sixBits(q: number, high: 0 | 1): Plane {
  // Bits 0-1, 2-3, 4-5 or 6-7 of the upper plane, moved to bits 4-5.
  const shift = (q & 1) * 4 + high * 2;
  return {
    k: high * 16 + q * 4,
    accumulator: 0,
    limit: limitOf(63),
    startsWithSum: false,
    extract: ([low = [], upper = []], constants) => {
      const moved = shift < 4 ? i16x8.shl(upper, i32.const(4 - shift)) : i16x8.shrU(upper, i32.const(shift - 4));
      return v128.or(nibble(low, high, constants), v128.and(shift === 4 ? upper : moved, constants("crumb")));
    },
  };
}

function byteSteps(half: number | undefined, free: boolean): Step[] {
  const all = half === undefined ? [0, 1, 2, 3, 4, 5, 6, 7] : [0, 1, 2, 3].map((q) => q + half * 4);
  return all.map((q) => ({
    sources: [q * 32],
    planes: [0, 1].map((high) => ({
      k: q * 4,
      accumulator: high,
      limit: limitOf(15),
      startsWithSum: free && high === 1,
      extract: ([raw = []], constants) => nibble(raw, high as 0 | 1, constants),
    })),
  }));
}
