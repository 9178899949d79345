/**
 * Idefics3 (arXiv 2408.12637), SmolVLM and SmolVLM2 (arXiv 2504.05299): the picture is cut into tiles, of which each one
 * and then the whole picture go through SigLIP; the patches of a square are joined to one row.
 */
import { failKey, integerOf } from "../../../formats/gguf/check.ts";
import type { Picture } from "../../media/image.ts";
import type { VisionFamily, Piece } from "./family.ts";
import type { VisionFigures } from "./figures.ts";
import { cropPicture } from "./crop.ts";
import { resample } from "./resample.ts";

/** Tiles of a side that there are names for in the vocabulary. */
const mostSide = 6;
const mark = "<fake_token_around_image>";

export const idefics3: VisionFamily = {
  type: "idefics3",
  read(file, { layers, imageSize }) {
    const key = "clip.vision.preproc_image_size";
    // Files of earlier converters do not say it; all models of the family were trained with four tiles.
    const longestEdge = integerOf(file, key, [1, 2 ** 20]) ?? 4 * imageSize;
    const side = Math.ceil(longestEdge / imageSize);
    if (side > mostSide) failKey(file, key, `is ${longestEdge}: ${side} tiles of ${imageSize}, more than ${mostSide}`);
    return {
      usedLayers: layers,
      merge: integerOf(file, "clip.vision.projector.scale_factor", [1, 64]) ?? 2,
      hasClass: false,
      norm: "layer",
      places: "learned",
      longestEdge,
      mostTiles: side * side + 1,
    };
  },
  project(graph, { tensors, merge, width }, states) {
    const joined = graph.joinRows(states, merge ** 2);
    graph.hidden(graph.linear(joined, tensors.matrix("mm.model.fc.weight", joined.width, width)));
  },
  cut: cutTiles,
};

/** The sizes of transformers' `Idefics3ImageProcessor`: to the longest edge, then up to whole tiles. */
async function cutTiles(picture: Picture, figures: VisionFigures): Promise<readonly Piece[]> {
  const { imageSize, longestEdge = imageSize } = figures;
  const first = await resample(picture, scaledSize(picture, longestEdge), "lanczos");
  const rows = Math.ceil(first.height / imageSize);
  const columns = Math.ceil(first.width / imageSize);
  const whole = await resample(first, { width: columns * imageSize, height: rows * imageSize }, "lanczos");
  const start = `${mark}<global-img>`;
  if (rows === 1 && columns === 1) return [{ text: start }, { tile: whole }, { text: mark }];
  const pieces: Piece[] = [];
  for (let index = 0; index < rows * columns; index++) {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const lead = column === 0 && row > 0 ? "\n" : "";
    pieces.push({ text: `${lead}${mark}<row_${row + 1}_col_${column + 1}>` });
    const place = { left: column * imageSize, top: row * imageSize, width: imageSize, height: imageSize };
    pieces.push({ tile: cropPicture(whole, place) });
  }
  const small = await resample(whole, { width: imageSize, height: imageSize }, "lanczos");
  return [...pieces, { text: `\n\n${start}` }, { tile: small }, { text: mark }];
}

/** The longer side becomes `longestEdge`, the other one an even number. */
function scaledSize({ width, height }: Picture, longestEdge: number): { width: number; height: number } {
  const ratio = width / height;
  const even = (length: number): number => Math.max(1, Math.floor(length) + (Math.floor(length) % 2));
  if (width >= height) return { width: longestEdge, height: even(longestEdge / ratio) };
  return { width: even(longestEdge * ratio), height: longestEdge };
}
