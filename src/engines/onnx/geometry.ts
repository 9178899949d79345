/** Shapes in the plane: what pixels that hang together cover. */
import type { Point } from "../../spec/media.ts";
import type { Region } from "../media/warp.ts";

/** The corners that go around all points (A. M. Andrew, 1979: monotone chain). */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = points.toSorted((a, b) => a.x - b.x || a.y - b.y);
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (chain.length >= 2 && turn(chain.at(-2)!, chain.at(-1)!, point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return sorted.length < 3 ? sorted : [...half(sorted), ...half(sorted.toReversed())];
}

function turn(a: Point, b: Point, c: Point): number {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/** The smallest rectangle around a hull: one of its sides lies on a side of the hull (H. Freeman, R. Shapira, 1975). */
export function smallestRectangle(hull: readonly Point[]): Region {
  let best: Region | undefined;
  for (const [index, from] of hull.entries()) {
    const to = hull[(index + 1) % hull.length] ?? from;
    const angle = Math.atan2(to.y - from.y, to.x - from.x);
    const region = boundsAt(hull, angle);
    if (!best || region.width * region.height < best.width * best.height) best = region;
  }
  return upright(best ?? boundsAt(hull, 0));
}

function boundsAt(points: readonly Point[], angle: number): Region {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of points) {
    const [along, across] = [x * cos + y * sin, y * cos - x * sin];
    [left, right] = [Math.min(left, along), Math.max(right, along)];
    [top, bottom] = [Math.min(top, across), Math.max(bottom, across)];
  }
  const [along, across] = [(left + right) / 2, (top + bottom) / 2];
  return {
    x: along * cos - across * sin,
    y: along * sin + across * cos,
    width: right - left,
    height: bottom - top,
    angle,
  };
}

/** The same rectangle, turned by at most 45 degrees. */
function upright({ x, y, width, height, angle }: Region): Region {
  const quarter = Math.PI / 2;
  const turns = Math.round(angle / quarter);
  const swapped = turns % 2 !== 0;
  return { x, y, width: swapped ? height : width, height: swapped ? width : height, angle: angle - turns * quarter };
}

export interface Component {
  /** Left and right ends of its pixels in each row. */
  readonly edge: readonly Point[];
  /** Indices of its pixels. */
  readonly pixels: readonly number[];
}

/** Pixels that are set and touch each other, corners too; the largest `most` of them. */
export function components(isSet: Uint8Array, width: number, most: number): Component[] {
  const seen = new Uint8Array(isSet.length);
  const found: number[][] = [];
  for (let start = 0; start < isSet.length; start++) {
    if (!isSet[start] || seen[start]) continue;
    seen[start] = 1;
    const pixels = [start];
    for (let next = 0; next < pixels.length; next++) {
      for (const other of around(pixels[next]!, width, isSet.length)) {
        if (!isSet[other] || seen[other]) continue;
        seen[other] = 1;
        pixels.push(other);
      }
    }
    found.push(pixels);
  }
  const largest = found.sort((a, b) => b.length - a.length).slice(0, most);
  return largest.map((pixels) => ({ pixels, edge: edgeOf(pixels, width) }));
}

function around(pixel: number, width: number, size: number): number[] {
  const column = pixel % width;
  const [left, right] = [column > 0 ? -1 : 0, column < width - 1 ? 1 : 0];
  const result: number[] = [];
  for (let row = -width; row <= width; row += width) {
    for (let step = left; step <= right; step++) {
      const other = pixel + row + step;
      if (other >= 0 && other < size && other !== pixel) result.push(other);
    }
  }
  return result;
}

/** Corners of the outermost pixels of each row. */
function edgeOf(pixels: readonly number[], width: number): Point[] {
  const rows = new Map<number, { least: number; most: number }>();
  for (const pixel of pixels) {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    const row = rows.get(y);
    if (row) [row.least, row.most] = [Math.min(row.least, x), Math.max(row.most, x)];
    else rows.set(y, { least: x, most: x });
  }
  return [...rows].flatMap(([y, { least, most }]) => [
    { x: least, y },
    { x: least, y: y + 1 },
    { x: most + 1, y },
    { x: most + 1, y: y + 1 },
  ]);
}
