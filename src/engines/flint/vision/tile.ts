/** A tile on its way into the encoder, and what comes out of it. */
import type { Picture } from "../../media/image.ts";
import type { PictureCommand } from "../threads/protocol.ts";
import type { VisionPart } from "./contract.ts";
import type { Grid, VisionFigures } from "./figures.ts";
import { gridOf, outputsOf, rowsOf } from "./figures.ts";
import { patchAngles, patchOrder, patchRows, placeRows, unitOrder, windowOrder } from "./patches.ts";

/** Elements of tensors that tiles bring along; both only where places are learned. */
export interface Learned {
  readonly positions?: Float32Array | undefined;
  readonly classEmbedding?: Float32Array | undefined;
}

export type Enter = (tile: Picture) => Omit<PictureCommand, "type" | "id">;

/** Makes the inputs of tiles. */
export function createEntrance(figures: VisionFigures, { positions, classEmbedding }: Learned): Enter {
  const { merge, embedding, heads, side, rotation, window } = figures;
  // Where places are learned all tiles are alike.
  const order = patchOrder({ columns: side, lines: side }, merge);
  const places = positions && placeRows(positions, classEmbedding, { figures, order });
  return (tile) => {
    const grid = gridOf(tile, figures);
    const { order: own, ends } = window
      ? windowOrder(grid, merge, window.size)
      : { order: places ? order : patchOrder(grid, merge) };
    return {
      rows: rowsOf(figures, grid),
      outputs: outputsOf(figures, grid),
      inputs: [patchRows(tile, figures, own), ...(places ? [places] : [])],
      ...(rotation && {
        angles: patchAngles(own, grid, { headWidth: embedding / heads, frequencies: rotation.frequencies }),
      }),
      ...(ends && { parts: ends }),
    };
  };
}

/** Rows of the result line by line, whatever order the windows had. */
export function inLines(rows: Float32Array, grid: Grid, { window, merge, width }: VisionFigures): Float32Array {
  if (!window) return rows;
  const { order } = unitOrder({ columns: grid.columns / merge, lines: grid.lines / merge }, window.size);
  const sorted = new Float32Array(rows.length);
  order.forEach((unit, index) => sorted.set(rows.subarray(index * width, (index + 1) * width), unit * width));
  return sorted;
}

/** The rows of a tile, with a text between its lines where the family has one. */
export function tileParts(
  rows: Float32Array,
  { columns, lines }: Grid,
  { merge, width, between }: Pick<VisionFigures, "merge" | "width"> & { readonly between?: string | undefined },
): VisionPart[] {
  const [count, length] = [columns / merge, lines / merge];
  if (between === undefined) return [{ rows, count: count * length, columns: count }];
  return Array.from({ length }, (_, line): VisionPart[] => [
    ...(line > 0 ? [{ text: between }] : []),
    { rows: rows.slice(line * count * width, (line + 1) * count * width), count, columns: count },
  ]).flat();
}
