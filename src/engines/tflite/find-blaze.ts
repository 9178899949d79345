import type { TfliteKind } from "../../formats/tflite/kind.ts";
import type { Picture, Pictures } from "../media/image.ts";
import { fitPicture } from "../media/pixels.ts";
import type { BlazeFinding } from "./blaze.ts";
import { decodeBlaze } from "./blaze.ts";
import type { Opened } from "./context.ts";
import { outputOf, runOnPicture } from "./context.ts";

export interface FindOptions {
  readonly pictures: Pictures;
  readonly picture: Picture;
  readonly threshold: number;
  readonly limit: number;
}

/** What a detector of MediaPipe's looks for. */
export function kindName(kind: TfliteKind): string {
  return kind.replace(/-detector$/, "");
}

/** Faces, palms or persons, in pixels of the picture. */
export async function findBlaze(
  opened: Opened,
  { pictures, picture, ...options }: FindOptions,
): Promise<BlazeFinding[]> {
  const { feed } = opened;
  if (!feed) return [];
  const { width, height } = feed.input;
  const { picture: small, placement } = await fitPicture(pictures, picture, { width, height, fit: "contain" });
  const outputs = await runOnPicture(opened, small);
  const scores = outputOf(outputs, -1, 1);
  const boxes = outputs.find((output) => output !== scores);
  if (!scores || !boxes) return [];
  const x = (share: number): number => (share * width - placement.left) / placement.scaleX;
  const y = (share: number): number => (share * height - placement.top) / placement.scaleY;
  const found = decodeBlaze({ boxes: boxes.data, scores: scores.data, size: width }, options) ?? [];
  return found.map(({ score, corners, points }) => ({
    score,
    corners: { left: x(corners.left), top: y(corners.top), right: x(corners.right), bottom: y(corners.bottom) },
    points: points.map((point) => ({ x: x(point.x), y: y(point.y) })),
  }));
}
