/**
 * MediaPipe's detectors: a box and a few points for each cell of some grids. After Bazarevsky et al., "BlazeFace:
 * Sub-millisecond Neural Face Detection on Mobile GPUs", 2019, and the graphs of MediaPipe.
 */
import type { Point } from "../../spec/media.ts";
import { overlap } from "./boxes.ts";
import type { Corners, Scored } from "./boxes.ts";

/** All in shares of the model's input. */
export interface BlazeFinding extends Scored {
  readonly points: readonly Point[];
}

interface Layer {
  /** Pixels of the input from one cell to the next. */
  readonly stride: number;
  /** Boxes of each cell. */
  readonly boxes: number;
}

/** Layers by the size of the input and the number of boxes in all. */
const layouts: readonly { readonly size: number; readonly layers: readonly Layer[] }[] = [
  {
    size: 128,
    layers: [
      { stride: 8, boxes: 2 },
      { stride: 16, boxes: 6 },
    ],
  },
  { size: 192, layers: [{ stride: 4, boxes: 1 }] },
  {
    size: 192,
    layers: [
      { stride: 8, boxes: 2 },
      { stride: 16, boxes: 6 },
    ],
  },
  {
    size: 224,
    layers: [
      { stride: 8, boxes: 2 },
      { stride: 16, boxes: 2 },
      { stride: 32, boxes: 6 },
    ],
  },
];

/** Middles of the cells in the order of the model's outputs; undefined: the layout is not known. */
export function blazeAnchors(size: number, count: number): readonly Point[] | undefined {
  const layout = layouts.find(
    (candidate) =>
      candidate.size === size &&
      candidate.layers.reduce((sum, { stride, boxes }) => sum + (size / stride) ** 2 * boxes, 0) === count,
  );
  return layout?.layers.flatMap(({ stride, boxes }) => {
    const cells = size / stride;
    return Array.from({ length: cells * cells * boxes }, (_, index) => {
      const cell = Math.floor(index / boxes);
      return { x: ((cell % cells) + 0.5) / cells, y: (Math.floor(cell / cells) + 0.5) / cells };
    });
  });
}

export interface BlazeOutput {
  /** Of each anchor: middle x, middle y, width, height, then x and y of each point, in pixels of the input. */
  readonly boxes: Float32Array;
  /** One of each anchor, before the logistic function. */
  readonly scores: Float32Array;
  readonly size: number;
}

export interface BlazeOptions {
  readonly threshold: number;
  readonly limit: number;
}

/** The best first. Boxes that overlap by 0.3 are one, and lie at the average of all of them. */
export function decodeBlaze(output: BlazeOutput, { threshold, limit }: BlazeOptions): BlazeFinding[] | undefined {
  const { boxes, scores, size } = output;
  const anchors = blazeAnchors(size, scores.length);
  if (!anchors) return undefined;
  const width = boxes.length / scores.length;
  const found: BlazeFinding[] = [];
  for (const [index, anchor] of anchors.entries()) {
    const score = logistic(scores[index] ?? 0);
    if (score < threshold) continue;
    const row = boxes.subarray(index * width, (index + 1) * width);
    found.push({ score, ...decodeRow(row, anchor, size) });
  }
  return blend(found, limit);
}

function decodeRow(row: Float32Array, anchor: Point, size: number): Omit<BlazeFinding, "score"> {
  const value = (index: number): number => (row[index] ?? 0) / size;
  const [x, y] = [anchor.x + value(0), anchor.y + value(1)];
  const [halfWide, halfHigh] = [value(2) / 2, value(3) / 2];
  const points = Array.from({ length: (row.length - 4) / 2 }, (_, point) => ({
    x: anchor.x + value(4 + 2 * point),
    y: anchor.y + value(5 + 2 * point),
  }));
  return { corners: { left: x - halfWide, top: y - halfHigh, right: x + halfWide, bottom: y + halfHigh }, points };
}

const sameOverlap = 0.3;

function blend(found: readonly BlazeFinding[], limit: number): BlazeFinding[] {
  let rest = found.toSorted((a, b) => b.score - a.score);
  const kept: BlazeFinding[] = [];
  while (kept.length < limit) {
    const [best] = rest;
    if (!best) break;
    const isSame = ({ corners }: BlazeFinding): boolean => overlap(corners, best.corners) > sameOverlap;
    const group = rest.filter((item) => item === best || isSame(item));
    rest = rest.filter((item) => !group.includes(item));
    kept.push(averageOf(group, best.score));
  }
  return kept;
}

function averageOf(group: readonly BlazeFinding[], score: number): BlazeFinding {
  const total = group.reduce((sum, item) => sum + item.score, 0);
  const mean = (read: (item: BlazeFinding) => number): number =>
    group.reduce((sum, item) => sum + item.score * read(item), 0) / total;
  const corner = (name: keyof Corners): number => mean(({ corners }) => corners[name]);
  const corners = { left: corner("left"), top: corner("top"), right: corner("right"), bottom: corner("bottom") };
  const points = (group[0]?.points ?? []).map((_, index) => ({
    x: mean(({ points }) => points[index]?.x ?? 0),
    y: mean(({ points }) => points[index]?.y ?? 0),
  }));
  return { score, corners, points };
}

export function logistic(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
