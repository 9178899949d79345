/** Keys and values of one token in a block, number by number as `cache/layout.ts` describes them. */
import type { CacheType } from "../../../cache/layout.ts";
import { blockTokens, groupBytes, groupWidth } from "../../../cache/layout.ts";
import type { Kernels } from "./instance.ts";

export interface HeadPlace {
  readonly kind: "keys" | "values";
  readonly type: CacheType;
  readonly width: number;
  /** Address of the head in its block. */
  readonly address: number;
  readonly slot: number;
}

/** Writes the numbers of one head, and gives what is kept of them. */
export function writeHead(kernels: Kernels, place: HeadPlace, numbers: Float32Array): Float32Array {
  if (place.type === "f16") {
    numbers.forEach((number, dimension) => (kernels.halves[halfAt(place, dimension)] = number));
  } else {
    for (let start = 0; start < place.width; start += groupWidth) {
      const group = numbers.subarray(start, start + groupWidth);
      const largest = Math.f16round(Math.max(...group.map(Math.abs)));
      kernels.halves[scaleAt(place, start)] = largest;
      group.forEach((number, index) => {
        kernels.bytes[codeAt(place, start + index)] = largest > 0 ? nearest((number * 127) / largest) : 0;
      });
    }
  }
  return readHead(kernels, place);
}

export function readHead(kernels: Kernels, place: HeadPlace): Float32Array {
  return Float32Array.from({ length: place.width }, (_, dimension) => {
    if (place.type === "f16") return kernels.halves[halfAt(place, dimension)] ?? NaN;
    const code = ((kernels.bytes[codeAt(place, dimension)] ?? NaN) << 24) >> 24;
    return (code * (kernels.halves[scaleAt(place, dimension)] ?? NaN)) / 127;
  });
}

function halfAt({ kind, width, address, slot }: HeadPlace, dimension: number): number {
  return address / 2 + (kind === "keys" ? dimension * blockTokens + slot : slot * width + dimension);
}

/** Where the group of a dimension begins, how wide it is, and which one of it the dimension is. */
function groupOf({ width, address }: HeadPlace, dimension: number): { start: number; wide: number; inside: number } {
  const index = Math.floor(dimension / groupWidth);
  return {
    start: address + index * groupBytes(groupWidth),
    wide: Math.min(groupWidth, width - index * groupWidth),
    inside: dimension % groupWidth,
  };
}

function codeAt(place: HeadPlace, dimension: number): number {
  const { start, wide, inside } = groupOf(place, dimension);
  const { kind, slot } = place;
  if (kind === "keys") return start + ((inside >> 1) * blockTokens + slot) * 2 + (inside & 1);
  return start + ((slot % 16) * wide + inside) * 2 + Math.floor(slot / 16);
}

function scaleAt(place: HeadPlace, dimension: number): number {
  const { start, wide } = groupOf(place, dimension);
  return (start + wide * blockTokens) / 2 + place.slot;
}

/** Ties to even. */
function nearest(x: number): number {
  const below = Math.floor(x);
  const part = x - below;
  const up = part > 0.5 || (part === 0.5 && below % 2 !== 0);
  return Math.min(127, below + (up ? 1 : 0));
}
