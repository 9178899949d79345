/** The figures of an encoder of pictures, and the sizes that follow from them. */
import type { PictureTensors } from "../architectures/tensors.ts";
import type { Size } from "../../media/image.ts";
import type { Activation } from "../graph/graph.ts";
import type { FamilyFigures } from "./family.ts";

/** Patches of a tile: each one sees all others, so that time and memory go by their square. */
export const mostPatches = 16_384;

export interface VisionFigures extends FamilyFigures {
  /** Sides of a tile and of a patch, in pixels, and of a tile in patches. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly side: number;
  readonly embedding: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly heads: number;
  readonly epsilon: number;
  readonly activation: Activation;
  /** Length of a row that it gives: the embedding length of the language model. */
  readonly width: number;
  /** Of pixels from 0 to 1, one for each channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface VisionModel extends VisionFigures {
  readonly tensors: PictureTensors;
}

/** Patches of a tile, in each direction. */
export interface Grid {
  readonly columns: number;
  readonly lines: number;
}

export function gridOf({ width, height }: Size, { patchSize }: VisionFigures): Grid {
  return { columns: Math.floor(width / patchSize), lines: Math.floor(height / patchSize) };
}

/** Rows of a step of the encoder, and rows that the language model gets for a tile. Default: for the largest tile. */
export function rowsOf({ side, hasClass }: VisionFigures, grid: Grid = { columns: side, lines: side }): number {
  return grid.columns * grid.lines + (hasClass ? 1 : 0);
}

export function outputsOf({ side, merge }: VisionFigures, grid: Grid = { columns: side, lines: side }): number {
  return (grid.columns * grid.lines) / merge ** 2;
}
