/** What a tile brings along to the encoder: its patches, and the place of each. */
import type { Picture } from "../../media/image.ts";
import type { PatchRotation } from "./family.ts";
import type { Grid, VisionFigures } from "./figures.ts";
import { gridOf, rowsOf } from "./figures.ts";

/** Of all families that turn heads. */
export const ropeBase = 10_000;

/**
 * The order of the patches: those that become one row of the result follow each other, line by line. The order does not
 * matter to the encoder, which tells them by their places.
 */
export function patchOrder({ columns, lines }: Grid, merge: number): Int32Array {
  const squares = columns / merge;
  const order = new Int32Array(columns * lines);
  for (let row = 0; row < order.length; row++) {
    const square = Math.floor(row / merge ** 2);
    const within = row % merge ** 2;
    const y = Math.floor(square / squares) * merge + Math.floor(within / merge);
    const x = (square % squares) * merge + (within % merge);
    order[row] = y * columns + x;
  }
  return order;
}

/** Windows of a picture, line by line, cut where it ends: the patches of each follow each other. */
export function windowOrder(
  grid: Grid,
  merge: number,
  size: number,
): { readonly order: Int32Array; readonly ends: Int32Array } {
  const units = unitOrder({ columns: grid.columns / merge, lines: grid.lines / merge }, size);
  const plain = patchOrder(grid, merge);
  const count = merge ** 2;
  const order = new Int32Array(plain.length);
  units.order.forEach((unit, index) => order.set(plain.subarray(unit * count, (unit + 1) * count), index * count));
  return { order, ends: units.ends.map((end) => end * count) };
}

/** The same of the rows of the result. */
export function unitOrder(
  { columns, lines }: Grid,
  size: number,
): { readonly order: Int32Array; readonly ends: Int32Array } {
  const order: number[] = [];
  const ends: number[] = [];
  for (let top = 0; top < lines; top += size) {
    for (let left = 0; left < columns; left += size) {
      for (let y = top; y < Math.min(top + size, lines); y++) {
        for (let x = left; x < Math.min(left + size, columns); x++) order.push(y * columns + x);
      }
      ends.push(order.length);
    }
  }
  return { order: Int32Array.from(order), ends: Int32Array.from(ends) };
}

/** Pixels as numbers: [rows][3][patch][patch]. The row of the class, the last one, has none. */
export function patchRows(picture: Picture, figures: VisionFigures, order: Int32Array): Float32Array {
  const { width, channels, data } = picture;
  const { patchSize, mean, std } = figures;
  const grid = gridOf(picture, figures);
  const rows = new Float32Array(rowsOf(figures, grid) * 3 * patchSize ** 2);
  const tables = [0, 1, 2].map((channel) =>
    Float32Array.from({ length: 256 }, (_, level) => (level / 255 - (mean[channel] ?? 0)) / (std[channel] ?? 1)),
  );
  let to = 0;
  for (const patch of order) {
    const top = Math.floor(patch / grid.columns) * patchSize;
    const left = (patch % grid.columns) * patchSize;
    for (const [channel, table] of tables.entries()) {
      for (let y = 0; y < patchSize; y++) {
        let from = ((top + y) * width + left) * channels + channel;
        for (let x = 0; x < patchSize; x++, from += channels) rows[to++] = table[data[from] ?? 0] ?? 0;
      }
    }
  }
  return rows;
}

/** Learned positions in the order of the rows; the row of the class has the first one, and its own embedding. */
export function placeRows(
  positions: Float32Array,
  classEmbedding: Float32Array | undefined,
  { figures, order }: { readonly figures: VisionFigures; readonly order: Int32Array },
): Float32Array {
  const { embedding } = figures;
  const skipped = classEmbedding ? 1 : 0;
  const rows = new Float32Array(rowsOf(figures) * embedding);
  order.forEach((patch, row) => {
    const start = (patch + skipped) * embedding;
    rows.set(positions.subarray(start, start + embedding), row * embedding);
  });
  classEmbedding?.forEach((value, at) => {
    rows[order.length * embedding + at] = value + (positions[at] ?? 0);
  });
  return rows;
}

/**
 * Angles of rows [rows][pairs][cos, sin]: the first half of the pairs of a head turns with the line, the other half with
 * the column, with every second frequency each (Pixtral, arXiv 2410.07073) or with the same ones.
 */
export function patchAngles(
  order: Int32Array,
  { columns }: Grid,
  { headWidth, frequencies }: { readonly headWidth: number; readonly frequencies: PatchRotation["frequencies"] },
): Float32Array {
  const other = frequencies === "same" ? 0 : 1;
  const angles = new Float32Array(order.length * headWidth);
  const half = headWidth / 4;
  let to = 0;
  for (const patch of order) {
    for (let pair = 0; pair < headWidth / 2; pair++) {
      const place = pair < half ? Math.floor(patch / columns) : patch % columns;
      const step = pair < half ? 2 * pair : 2 * (pair - half) + other;
      const angle = place * ropeBase ** ((-2 * step) / headWidth);
      angles[to++] = Math.cos(angle);
      angles[to++] = Math.sin(angle);
    }
  }
  return angles;
}
