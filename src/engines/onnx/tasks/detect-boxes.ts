/** Boxes that a detector gives many of: the best of those that lie on each other. */
import type { Box } from "../../../spec/media.ts";
import type { DetectedObject } from "../../../spec/perform.ts";

/** Boxes of one label that share more of their area than this are one object. */
const sameObject = 0.5;

/** Best first; of overlapping boxes of one label the best. */
export function keepBest(objects: readonly DetectedObject[], limit: number): DetectedObject[] {
  const kept: DetectedObject[] = [];
  for (const one of objects.toSorted((a, b) => b.score - a.score)) {
    if (kept.length >= limit) break;
    if (!kept.some((other) => other.label === one.label && overlap(other.box, one.box) > sameObject)) kept.push(one);
  }
  return kept;
}

/** Area that two boxes share, over that which they cover together. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** The part of a box that is inside of a picture. */
export function clip({ x, y, width, height }: Box, size: { readonly width: number; readonly height: number }): Box {
  const [left, top] = [Math.max(0, x), Math.max(0, y)];
  const [right, bottom] = [Math.min(size.width, x + width), Math.min(size.height, y + height)];
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}
