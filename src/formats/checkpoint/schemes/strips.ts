/** Words of a matrix whose outputs lie side by side: read in strips of whole columns, a few MiB each. */
import type { RawTensor } from "../scheme.ts";
import { sizeAt } from "./parts.ts";
import type { Shelf } from "./coded.ts";

const stripBytes = 4 * 1024 * 1024;

export interface Strip {
  readonly words: Uint32Array;
  /** First column, columns, and words from one row to the next. */
  readonly first: number;
  readonly width: number;
}

/** The strip of [rows][columns] words that holds a column. */
export function createStrips(
  tensor: RawTensor,
  strips: Shelf["strips"],
  mostBytes: number = stripBytes,
): (column: number) => Strip {
  const rows = sizeAt(tensor, 0);
  const columns = sizeAt(tensor, 1);
  const most = Math.max(1, Math.floor(mostBytes / (rows * 4)));
  return (column) => {
    const first = Math.floor(column / most) * most;
    const width = Math.min(most, columns - first);
    const read = (): Uint32Array => readStrip(tensor, { first, width, rows, columns });
    return { first, width, words: strips.get(`${tensor.name} ${first}`, read) };
  };
}

interface StripPlace {
  readonly first: number;
  readonly width: number;
  readonly rows: number;
  readonly columns: number;
}

function readStrip(tensor: RawTensor, { first, width, rows, columns }: StripPlace): Uint32Array {
  const words = new Uint32Array(rows * width);
  const bytes = new Uint8Array(words.buffer);
  if (width === columns) tensor.read(0, bytes);
  else {
    for (let row = 0; row < rows; row++) {
      tensor.read((row * columns + first) * 4, bytes.subarray(row * width * 4, (row + 1) * width * 4));
    }
  }
  return words;
}
