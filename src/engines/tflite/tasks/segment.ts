/** Which pixels belong to which class. */
import type { Mask, Segment } from "../../../spec/perform.ts";
import type { Pictures, Size } from "../../media/image.ts";
import { fitPicture } from "../../media/pixels.ts";
import type { RunTask, TfliteContext } from "../context.ts";
import { runOnPicture } from "../context.ts";
import type { Floats } from "../values.ts";

const defaultThreshold = 0.5;
/** A class that covers less than this share of the picture is noise. */
const leastShare = 0.001;

export function segmentWith(context: TfliteContext): RunTask<"segment"> {
  return async ({ image, threshold = defaultThreshold }) => {
    const { feed } = context;
    if (!feed) return { segments: [] };
    const pictures = await context.pictures();
    const picture = await pictures.decode(image);
    const { width, height } = feed.input;
    const small = await fitPicture(pictures, picture, { width, height, fit: "stretch" });
    const [output] = await runOnPicture(context, small.picture);
    if (!output) return { segments: [] };
    const planes = planesOf(output, { threshold, label: context.label });
    const [, high = 0, wide = 0] = output.shape;
    const segments = [];
    for (const plane of planes)
      segments.push(await enlarge(pictures, plane, { width: wide, height: high, size: picture }));
    return { segments };
  };
}

interface Plane {
  readonly label: string;
  readonly score: number;
  /** 0 to 255. */
  readonly data: Uint8Array;
}

interface PlaneOptions {
  readonly threshold: number;
  readonly label: (index: number) => string;
}

function planesOf({ shape, data }: Floats, options: PlaneOptions): Plane[] {
  const channels = shape[3] ?? 0;
  if (channels === 1) return onePlane(data, options);
  // Without a fourth dimension the numbers are those of classes.
  return channels === 0
    ? classPlanes(
        data,
        data.map(() => 1),
        options,
      )
    : classPlanes(...bestClasses(data, channels), options);
}

/** A probability for each pixel. */
function onePlane(data: Float32Array, { threshold }: PlaneOptions): Plane[] {
  const inside = data.filter((value) => value >= threshold);
  if (inside.length < leastShare * data.length) return [];
  const score = inside.reduce((sum, value) => sum + value, 0) / inside.length;
  return [
    {
      label: "foreground",
      score,
      data: Uint8Array.from(data, (value) => Math.round(Math.min(1, Math.max(0, value)) * 255)),
    },
  ];
}

/** The likeliest class of each pixel, and how likely it is. */
function bestClasses(data: Float32Array, channels: number): [Float32Array, Float32Array] {
  const pixels = data.length / channels;
  const [classes, scores] = [new Float32Array(pixels), new Float32Array(pixels)];
  for (let pixel = 0; pixel < pixels; pixel++) {
    const row = data.subarray(pixel * channels, (pixel + 1) * channels);
    let best = 0;
    for (let index = 1; index < channels; index++) if ((row[index] ?? 0) > (row[best] ?? 0)) best = index;
    const sum = row.reduce((total, value) => total + Math.exp(value - (row[best] ?? 0)), 0);
    classes[pixel] = best;
    scores[pixel] = isProbability(row) ? (row[best] ?? 0) : 1 / sum;
  }
  return [classes, scores];
}

function isProbability(row: Float32Array): boolean {
  return row.every((value) => value >= 0) && Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) < 0.05;
}

/** Class 0 is what belongs to none. */
function classPlanes(classes: Float32Array, scores: Float32Array, { threshold, label }: PlaneOptions): Plane[] {
  const planes: Plane[] = [];
  for (const index of [...new Set(classes)].filter((found) => found !== 0).toSorted((a, b) => a - b)) {
    const inside = scores.filter((_, pixel) => classes[pixel] === index);
    const score = inside.reduce((sum, value) => sum + value, 0) / inside.length;
    if (inside.length < leastShare * classes.length || score < threshold) continue;
    planes.push({ label: label(index), score, data: Uint8Array.from(classes, (found) => (found === index ? 255 : 0)) });
  }
  return planes;
}

async function enlarge(
  pictures: Pictures,
  { label, score, data }: Plane,
  { width, height, size }: Size & { readonly size: Size },
): Promise<Segment> {
  const resized = await pictures.resizeMask({ width, height, data }, size);
  const mask: Mask = { width: size.width, height: size.height, data: resized };
  return { label, score, mask };
}
