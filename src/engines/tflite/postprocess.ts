/**
 * From what an SSD computes for each of its anchors to objects, as TensorFlow's operator `TFLite_Detection_PostProcess`
 * does it: tensorflow/lite/kernels/detection_postprocess.cc. Boxes are coded as in Liu et al., "SSD: Single Shot MultiBox
 * Detector", 2016.
 */
import { suppress } from "./boxes.ts";
import type { Corners, Scored } from "./boxes.ts";

export interface PostProcessing {
  readonly options: ReadonlyMap<string, number>;
  /** Middle y, middle x, height, width of each. */
  readonly anchors: Float32Array;
}

/** The four outputs of the operator; rows beyond `count` are 0. Boxes are top, left, bottom, right from 0 to 1. */
export interface Detections {
  readonly boxes: Float32Array;
  readonly classes: Float32Array;
  readonly scores: Float32Array;
  readonly count: number;
}

interface Candidate extends Scored {
  readonly anchor: number;
  readonly category: number;
}

/** `boxes`: 4 numbers, or more, of each anchor; `scores`: one of each class of each anchor. */
export function postProcess(boxes: Float32Array, scores: Float32Array, processing: PostProcessing): Detections {
  const { options } = processing;
  const most = Math.max(1, option(options, "max_detections", 10));
  const perAnchor = Math.max(1, option(options, "max_classes_per_detection", 1));
  const found =
    option(options, "use_regular_nms", 0) === 0 ? fast(boxes, scores, processing) : regular(boxes, scores, processing);
  const rows = most * perAnchor;
  const result = {
    boxes: new Float32Array(rows * 4),
    classes: new Float32Array(rows),
    scores: new Float32Array(rows),
    count: Math.min(found.length, rows),
  };
  for (const [row, { corners, category, score }] of found.slice(0, rows).entries()) {
    result.boxes.set([corners.top, corners.left, corners.bottom, corners.right], row * 4);
    result.classes[row] = category;
    result.scores[row] = score;
  }
  return result;
}

function option(options: ReadonlyMap<string, number>, name: string, otherwise: number): number {
  return options.get(name) ?? otherwise;
}

interface Grid {
  readonly count: number;
  /** Numbers of each anchor in `scores`, and how many of them, in front, are no class. */
  readonly columns: number;
  readonly shift: number;
  readonly classes: number;
}

function gridOf(scores: Float32Array, { options, anchors }: PostProcessing): Grid {
  const count = anchors.length / 4;
  const columns = Math.floor(scores.length / Math.max(1, count));
  const classes = Math.min(columns, option(options, "num_classes", columns));
  return { count, columns, shift: columns - classes, classes };
}

/** One box of each anchor, by its best class; the others of its classes come with it. */
function fast(boxes: Float32Array, scores: Float32Array, processing: PostProcessing): Candidate[] {
  const { options } = processing;
  const grid = gridOf(scores, processing);
  const threshold = option(options, "nms_score_threshold", 0);
  const perAnchor = Math.min(grid.classes, Math.max(1, option(options, "max_classes_per_detection", 1)));
  const candidates: Candidate[] = [];
  for (let anchor = 0; anchor < grid.count; anchor++) {
    const { category, score } = bestOf(scores, anchor, grid);
    if (score >= threshold) candidates.push({ anchor, category, score, corners: decode(boxes, anchor, processing) });
  }
  const kept = suppress(candidates, suppression(options));
  if (perAnchor === 1) return kept;
  return kept.flatMap((candidate) => topOf(scores, candidate, { grid, count: perAnchor }));
}

/** The boxes of each class on their own, and the best of all. */
function regular(boxes: Float32Array, scores: Float32Array, processing: PostProcessing): Candidate[] {
  const { options } = processing;
  const grid = gridOf(scores, processing);
  const threshold = option(options, "nms_score_threshold", 0);
  const { overlap, limit } = suppression(options);
  const perClass = option(options, "detections_per_class", 100);
  const decoded = new Map<number, Corners>();
  const all: Candidate[] = [];
  for (let category = 0; category < grid.classes; category++) {
    const candidates: Candidate[] = [];
    for (let anchor = 0; anchor < grid.count; anchor++) {
      const score = scores[anchor * grid.columns + grid.shift + category] ?? 0;
      if (score < threshold) continue;
      const corners = decoded.get(anchor) ?? decode(boxes, anchor, processing);
      decoded.set(anchor, corners);
      candidates.push({ anchor, category, score, corners });
    }
    all.push(...suppress(candidates, { overlap, limit: Math.min(perClass, limit) }));
  }
  return all.toSorted((a, b) => b.score - a.score).slice(0, limit);
}

function suppression(options: ReadonlyMap<string, number>): { overlap: number; limit: number } {
  return {
    overlap: option(options, "nms_iou_threshold", 0.6),
    limit: Math.max(1, option(options, "max_detections", 10)),
  };
}

function bestOf(scores: Float32Array, anchor: number, { columns, shift }: Grid): { category: number; score: number } {
  let [category, score] = [0, -Infinity];
  for (let column = shift; column < columns; column++) {
    const value = scores[anchor * columns + column] ?? 0;
    if (value > score) [category, score] = [column - shift, value];
  }
  return { category, score };
}

function topOf(
  scores: Float32Array,
  candidate: Candidate,
  { grid, count }: { grid: Grid; count: number },
): Candidate[] {
  const start = candidate.anchor * grid.columns + grid.shift;
  return Array.from({ length: grid.classes }, (_, category) => ({
    ...candidate,
    category,
    score: scores[start + category] ?? 0,
  }))
    .toSorted((a, b) => b.score - a.score)
    .slice(0, count);
}

/** Offsets from the middle of the anchor in its sizes, sizes as logarithms of those of the anchor. */
function decode(boxes: Float32Array, anchor: number, { options, anchors }: PostProcessing): Corners {
  const code = Math.floor((boxes.length * 4) / anchors.length) * anchor;
  const at = anchor * 4;
  const [y = 0, x = 0, high = 0, wide = 0] = boxes.subarray(code, code + 4);
  const [anchorY = 0, anchorX = 0, anchorHigh = 0, anchorWide = 0] = anchors.subarray(at, at + 4);
  const middleY = (y / option(options, "y_scale", 1)) * anchorHigh + anchorY;
  const middleX = (x / option(options, "x_scale", 1)) * anchorWide + anchorX;
  const halfHigh = 0.5 * Math.exp(high / option(options, "h_scale", 1)) * anchorHigh;
  const halfWide = 0.5 * Math.exp(wide / option(options, "w_scale", 1)) * anchorWide;
  return { left: middleX - halfWide, top: middleY - halfHigh, right: middleX + halfWide, bottom: middleY + halfHigh };
}
