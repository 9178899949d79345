/**
 * Qwen2-VL (arXiv 2409.12191) and Qwen2.5-VL (arXiv 2502.13923): pictures of any proportions, places by rotation in two
 * directions, the patches of a square joined to one row. In most layers of the newer one a patch sees its window only.
 */
import { HearthError } from "../../../error.ts";
import { failKey, integerOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { RowsGraph, Value } from "../graph/graph.ts";
import type { Picture, Size } from "../../media/image.ts";
import type { BaseFigures, FamilyFigures, VisionFamily } from "./family.ts";
import type { VisionFigures, VisionModel } from "./figures.ts";
import { mostPatches } from "./figures.ts";
import { resample } from "./resample.ts";
import { linear } from "./transformer.ts";

export const qwen2vl: VisionFamily = {
  type: "qwen2vl_merger",
  read: (file, figures) => readCommon(file, figures, "layer"),
  project,
  cut,
};

export const qwen25vl: VisionFamily = {
  type: "qwen2.5vl_merger",
  read(file, figures) {
    const { patchSize } = figures;
    const common = readCommon(file, figures, "rms");
    const period = integerOf(file, "clip.vision.n_wa_pattern", [0, 512]) ?? 0;
    const side = integerOf(file, "clip.vision.window_size", [1, 2 ** 14]) ?? 112;
    const size = Math.floor(side / patchSize / common.merge);
    if (size < 1)
      failKey(file, "clip.vision.window_size", `is ${side}: less than a row of ${patchSize * common.merge}`);
    return { ...common, gated: true, ...(period > 0 && { window: { size, period } }) };
  },
  project,
  cut,
};

/** What transformers' `Qwen2VLImageProcessor` has where nothing else is said: 4 to 1,280 rows of 28 × 28 pixels. */
const [leastRows, mostRows] = [4, 1280];

function readCommon(
  file: GgufFile,
  { embedding, heads, layers, patchSize }: BaseFigures,
  norm: FamilyFigures["norm"],
): FamilyFigures {
  if ((embedding / heads) % 4 !== 0) {
    failKey(file, "clip.vision.attention.head_count", `is ${heads}; heads of ${embedding / heads} cannot be rotated`);
  }
  const merge = integerOf(file, "clip.vision.spatial_merge_size", [1, 16]) ?? 2;
  const step = patchSize * merge;
  const pixels = (name: string, rows: number): number =>
    integerOf(file, `clip.vision.image_${name}_pixels`, [1, 2 ** 31]) ?? rows * step ** 2;
  const most = pixels("max", mostRows);
  // Sizes go up to whole rows.
  const [least, side] = [Math.min(most / 4, pixels("min", leastRows)), Math.ceil(Math.sqrt(most) / step) * merge];
  if (side ** 2 > mostPatches) {
    failKey(file, "clip.vision.image_max_pixels", `is ${most}: that is ${side ** 2} patches, more than ${mostPatches}`);
  }
  return {
    usedLayers: layers,
    merge,
    hasClass: false,
    norm,
    places: "rope",
    rotation: { pairing: "halves", frequencies: "same" },
    mostTiles: 1,
    pixels: { least, most },
    own: { side, imageSize: side * patchSize, feedForward: innerWidth(file, embedding) },
  };
}

/** The header has another number in its place: that of the language model, or none. */
function innerWidth({ tensors }: GgufFile, embedding: number): number {
  const up = tensors.find(({ name }) => name === "v.blk.0.ffn_up.weight");
  return up?.shape.find((length) => length !== embedding) ?? embedding;
}

function project(graph: RowsGraph, model: VisionModel, states: Value): void {
  const { embedding, merge, width } = model;
  const build = { graph, model };
  const joined = graph.joinRows(states, merge ** 2);
  const inner = graph.activate(linear(build, joined, "mm.0", embedding * merge ** 2), "gelu");
  graph.hidden(linear(build, inner, "mm.2", width));
}

async function cut(picture: Picture, figures: VisionFigures) {
  const tile = await resample(picture, scaledSize(picture, figures), "bicubic");
  return [{ text: "<|vision_start|>" }, { tile }, { text: "<|vision_end|>" }];
}

const mostRatio = 200;

/** Whole rows of the result in both directions, and no fewer or more pixels than the model wants: `smart_resize`. */
function scaledSize(
  { width, height }: Size,
  { patchSize, merge, pixels = { least: 1, most: Infinity } }: VisionFigures,
): Size {
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (ratio > mostRatio) {
    throw new HearthError(
      "bad_request",
      `The picture has ${width} × ${height} pixels: one side is ${ratio.toFixed(0)} times as long as the other.`,
      { hint: `This model takes pictures up to ${mostRatio} : 1. Cut it first.` },
    );
  }
  const step = patchSize * merge;
  const size = { width: toEven(width / step) * step, height: toEven(height / step) * step };
  const area = size.width * size.height;
  if (area > pixels.most) {
    const beta = Math.sqrt((width * height) / pixels.most);
    const whole = (length: number): number => Math.max(1, Math.floor(length / beta / step)) * step;
    return { width: whole(width), height: whole(height) };
  }
  if (area >= pixels.least) return size;
  const beta = Math.sqrt(pixels.least / (width * height));
  const whole = (length: number): number => Math.ceil((length * beta) / step) * step;
  return { width: whole(width), height: whole(height) };
}

/** The nearest whole number, of two the even one: Python's `round`. */
function toEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
