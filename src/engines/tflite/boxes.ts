import type { Box } from "../../spec/media.ts";
import type { Size } from "../media/image.ts";

/** Corners from 0 to 1, or in pixels. */
export interface Corners {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function areaOf({ left, top, right, bottom }: Corners): number {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

/** Share of what two boxes cover that both do. */
export function overlap(one: Corners, other: Corners): number {
  const common = areaOf({
    left: Math.max(one.left, other.left),
    top: Math.max(one.top, other.top),
    right: Math.min(one.right, other.right),
    bottom: Math.min(one.bottom, other.bottom),
  });
  const all = areaOf(one) + areaOf(other) - common;
  return common > 0 && all > 0 ? common / all : 0;
}

export interface Scored {
  readonly score: number;
  readonly corners: Corners;
}

export interface SuppressOptions {
  readonly overlap: number;
  readonly limit: number;
}

/** The best boxes, the best first, without those that overlap a better one too much. */
export function suppress<Item extends Scored>(items: readonly Item[], options: SuppressOptions): Item[] {
  const kept: Item[] = [];
  for (const item of items.toSorted((a, b) => b.score - a.score)) {
    if (kept.length >= options.limit) break;
    if (kept.every((better) => overlap(better.corners, item.corners) <= options.overlap)) kept.push(item);
  }
  return kept;
}

/** Within the picture. */
export function toBox({ left, top, right, bottom }: Corners, { width, height }: Size): Box {
  const [x, y] = [Math.max(0, Math.min(width, left)), Math.max(0, Math.min(height, top))];
  return {
    x,
    y,
    width: Math.max(0, Math.min(width, right) - x),
    height: Math.max(0, Math.min(height, bottom) - y),
  };
}
