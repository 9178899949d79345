import type { Picture, Size } from "./image.ts";
import type { Point } from "../../spec/media.ts";

/** A rectangle that may lie askew: its middle and sizes in pixels of the picture, turned clockwise by radians. */
export interface Region extends Size {
  readonly x: number;
  readonly y: number;
  readonly angle: number;
}

/** Cuts a region out and brings it to a size; between pixels it is linear. What lies outside of the picture is black. */
export function cutRegion(picture: Picture, region: Region, size: Size): Picture {
  const { width, height, channels, data } = picture;
  const out = new Uint8Array(size.width * size.height * 3);
  const right = unit(region, "x", size);
  const down = unit(region, "y", size);
  const middle = { x: (size.width - 1) / 2, y: (size.height - 1) / 2 };
  for (let row = 0, to = 0; row < size.height; row++) {
    for (let column = 0; column < size.width; column++, to += 3) {
      const x = region.x - 0.5 + (column - middle.x) * right.x + (row - middle.y) * down.x;
      const y = region.y - 0.5 + (column - middle.x) * right.y + (row - middle.y) * down.y;
      if (x <= -1 || y <= -1 || x >= width || y >= height) continue;
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const [fx, fy] = [x - left, y - top];
      for (let channel = 0; channel < 3; channel++) {
        const at = (column_: number, row_: number): number =>
          column_ < 0 || row_ < 0 || column_ >= width || row_ >= height
            ? 0
            : (data[(row_ * width + column_) * channels + channel] ?? 0);
        const upper = at(left, top) * (1 - fx) + at(left + 1, top) * fx;
        const lower = at(left, top + 1) * (1 - fx) + at(left + 1, top + 1) * fx;
        out[to + channel] = Math.round(upper * (1 - fy) + lower * fy);
      }
    }
  }
  return { ...size, channels: 3, data: out };
}

/** A point of the region, from 0 to 1 along its sides, in pixels of the picture. */
export function fromRegion({ x, y, width, height, angle }: Region, point: Point): Point {
  const [dx, dy] = [(point.x - 0.5) * width, (point.y - 0.5) * height];
  return { x: x + dx * Math.cos(angle) - dy * Math.sin(angle), y: y + dx * Math.sin(angle) + dy * Math.cos(angle) };
}

/** What one pixel of the result along an axis is in the picture. */
function unit({ width, height, angle }: Region, axis: "x" | "y", size: Size): Point {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  if (axis === "x") return { x: (cos * width) / size.width, y: (sin * width) / size.width };
  return { x: (-sin * height) / size.height, y: (cos * height) / size.height };
}
