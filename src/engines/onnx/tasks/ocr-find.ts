/** Where lines of text are: differentiable binarization (https://arxiv.org/abs/1911.08947), as PP-OCR's detector gives it. */
import type { Picture, Pictures } from "../../media/image.ts";
import type { Region } from "../../media/warp.ts";
import { components, convexHull, smallestRectangle } from "../geometry.ts";
import type { OnnxSession } from "../session.ts";
import type { Floats } from "../values.ts";
import { toFloats } from "../values.ts";
import { imagenet, toImageTensor } from "./image-input.ts";

/** Longest side of what the detector sees, and what its sides are multiples of. */
const longest = 960;
const stride = 32;
/** Pixels above this are text; a line is one if its pixels are as sure as `leastScore` on average. */
const pixelThreshold = 0.3;
/** The detector was trained with lines shrunk by their area over their length: so much they grow again. */
const growth = 1.5;
const leastSide = 3;
const mostLines = 1000;

export interface FoundLine {
  readonly region: Region;
  readonly score: number;
}

/** In pixels of the picture, in the order in which they are read. */
export async function findLines(
  session: OnnxSession,
  {
    pictures,
    picture,
    leastScore,
  }: { readonly pictures: Pictures; readonly picture: Picture; readonly leastScore: number },
): Promise<FoundLine[]> {
  const [port] = session.inputs;
  if (!port) return [];
  const shrink = Math.min(1, longest / Math.max(picture.width, picture.height));
  const fit = (size: number): number => Math.max(stride, Math.round((size * shrink) / stride) * stride);
  const size = { width: fit(picture.width), height: fit(picture.height) };
  const small = await pictures.resize(picture, size);
  const outputs = await session.run({ [port.name]: toImageTensor(small, { ...imagenet, bgr: true }, port) });
  const [map] = Object.values(outputs);
  if (!map) return [];
  const [scaleX, scaleY] = [picture.width / size.width, picture.height / size.height];
  const lines = linesOf(toFloats(map), leastScore).map(({ region, score }) => ({
    score,
    region: {
      ...region,
      x: region.x * scaleX,
      y: region.y * scaleY,
      width: region.width * scaleX,
      height: region.height * scaleY,
    },
  }));
  return readingOrder(lines);
}

/** Probabilities [1, 1, height, width] → lines in its pixels. */
export function linesOf({ shape, data }: Floats, leastScore: number): FoundLine[] {
  const width = shape.at(-1) ?? 0;
  const isText = Uint8Array.from(data, (value) => (value > pixelThreshold ? 1 : 0));
  return components(isText, width, mostLines).flatMap(({ pixels, edge }) => {
    const region = smallestRectangle(convexHull(edge));
    const score = pixels.reduce((sum, pixel) => sum + (data[pixel] ?? 0), 0) / pixels.length;
    if (Math.min(region.width, region.height) < leastSide || score < leastScore) return [];
    const grow = ((region.width * region.height) / (2 * (region.width + region.height))) * growth * 2;
    return [{ region: { ...region, width: region.width + grow, height: region.height + grow }, score }];
  });
}

/** From top to bottom; lines side by side from left to right. */
export function readingOrder(lines: readonly FoundLine[]): FoundLine[] {
  const rows: FoundLine[][] = [];
  for (const line of lines.toSorted((a, b) => a.region.y - b.region.y)) {
    const row = rows.at(-1);
    const first = row?.[0];
    const near =
      first && Math.abs(first.region.y - line.region.y) < Math.min(first.region.height, line.region.height) / 2;
    if (row && near) row.push(line);
    else rows.push([line]);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.region.x - b.region.x));
}
