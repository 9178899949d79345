/** Scales of a matrix: one, one for each row, one for each group of a row, or one for each block of some rows and columns. */
import type { RawTensor } from "../scheme.ts";
import { shapeText } from "../../safetensors/parse.ts";
import { partFault, sizeAt } from "./parts.ts";

export interface ScaleMap {
  /** Of a row. */
  readonly groups: number;
  readonly columnsPerGroup: number;
  /** Rows that share their scales. */
  readonly rowsPerScale: number;
}

export interface ScaledShape {
  readonly n: number;
  readonly k: number;
  /** Rows and columns of a block, where scales belong to blocks. */
  readonly block: readonly [number, number] | undefined;
  /** Columns of a group of a row; undefined: whole rows. */
  readonly groupSize?: number | undefined;
}

/** Throws `model_malformed` where the shape of the scales fits no arrangement that the configuration allows. */
export function mapScales(scales: RawTensor, { n, k, block, groupSize }: ScaledShape): ScaleMap {
  const [rows, groups] = [sizeAt(scales, 0), sizeAt(scales, 1)];
  const fail = (): Error => {
    const problem = `has the shape ${shapeText(scales.shape)}, which does not fit a matrix of ${n} × ${k}`;
    return partFault(scales.name, block ? `${problem} in blocks of ${shapeText(block)}` : problem);
  };
  if (scales.shape.length > 2) throw fail();
  if (rows === 1 && groups === 1) return { groups: 1, columnsPerGroup: k, rowsPerScale: n };
  if (block && rows === Math.ceil(n / block[0]) && groups === Math.ceil(k / block[1])) {
    return { groups, columnsPerGroup: block[1], rowsPerScale: block[0] };
  }
  if (rows !== n) throw fail();
  const size = groups === 1 ? k : (groupSize ?? k / groups);
  if (!Number.isInteger(size) || Math.ceil(k / size) !== groups) throw fail();
  return { groups, columnsPerGroup: size, rowsPerScale: 1 };
}

/** [n][groups] of what may be shared between rows. */
export function expandScales(scales: Float32Array, { groups, rowsPerScale }: ScaleMap, n: number): Float32Array {
  if (rowsPerScale === 1) return scales;
  return Float32Array.from({ length: n * groups }, (_, index) => {
    const row = Math.floor(index / groups / rowsPerScale);
    return scales[row * groups + (index % groups)] ?? 0;
  });
}
