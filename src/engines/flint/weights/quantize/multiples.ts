/** Scales and mins as multiples of what a super-block has in common. */
import { inverseOf, nearestCode, writeHalf } from "./code.ts";
import type { Block, Groups } from "./recipe.ts";

interface RangeLevels {
  /** Groups of a super-block. */
  readonly count: 8 | 16;
  /** Largest multiple. */
  readonly most: 15 | 63;
  /** Where d and dmin go. */
  readonly at: number;
}

export function settleBoth({ scales, seconds, inverses, offsets }: Groups, block: Block, levels: RangeLevels): void {
  const { first, out, at } = block;
  const { count, most } = levels;
  let largest = 0;
  let lowest = 0;
  for (let i = first; i < first + count; i++) {
    largest = Math.max(largest, scales[i]!);
    lowest = Math.min(lowest, seconds[i]!);
  }
  const d = writeHalf(out, at + levels.at, largest / most);
  const dmin = writeHalf(out, at + levels.at + 2, -lowest / most);
  const inverse = inverseOf(d);
  const inverseMin = inverseOf(dmin);
  for (let i = first; i < first + count; i++) {
    scales[i] = nearestCode(scales[i]! * inverse, most);
    seconds[i] = nearestCode(-seconds[i]! * inverseMin, most);
    inverses[i] = d;
    offsets[i] = dmin;
  }
}

/** From multiples to what turns weights into codes. */
export function invertBoth({ scales, seconds, inverses, offsets }: Groups, first: number, count: number): void {
  for (let i = first; i < first + count; i++) {
    const inverse = inverseOf(inverses[i]! * scales[i]!);
    offsets[i] = offsets[i]! * seconds[i]! * inverse;
    inverses[i] = inverse;
  }
}

interface SignedLevels {
  readonly count: 8 | 16;
  /** Multiples go from −half to half − 1. */
  readonly half: 32 | 128;
  readonly at: number;
}

/** Scales of either sign. That of the greatest magnitude becomes −half: there is no such positive multiple. */
export function settleSigned(
  { scales, inverses }: Groups,
  block: Block,
  { at: place, count, half }: SignedLevels,
): void {
  const { first, out, at } = block;
  let extreme = 0;
  for (let i = first; i < first + count; i++) if (Math.abs(scales[i]!) > Math.abs(extreme)) extreme = scales[i]!;
  const d = writeHalf(out, at + place, extreme / -half);
  const inverse = inverseOf(d);
  for (let i = first; i < first + count; i++) {
    scales[i] = nearestCode(scales[i]! * inverse + half, 2 * half - 1) - half;
    inverses[i] = d;
  }
}

/** `offset`: the code of the value 0. */
export function invertScales(
  { scales, inverses, offsets }: Groups,
  first: number,
  count: number,
  offset: number,
): void {
  for (let i = first; i < first + count; i++) {
    inverses[i] = inverseOf(inverses[i]! * scales[i]!);
    offsets[i] = offset;
  }
}
