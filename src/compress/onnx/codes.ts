/** Weights as whole numbers of 8 bits, with a scale for each column or row of a matrix. */

/** `values[row * rowStep + column * columnStep]`. */
export interface Matrix {
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/** As it lies in memory: row after row. */
export function byRows(values: Float32Array, rows: number, columns: number): Matrix {
  return { values, rows, columns, rowStep: columns, columnStep: 1 };
}

export function transposed({ rows, columns, rowStep, columnStep, values }: Matrix): Matrix {
  return { values, rows: columns, columns: rows, rowStep: columnStep, columnStep: rowStep };
}

export interface Int8Matrix {
  /** Row after row, whatever the order of the source. */
  readonly codes: Int8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
}

/** What shares a scale. */
export type Sharing = "column" | "row" | "all";

/**
 * Codes go from minus this to this. `all` is what 8 bits hold. Processors of x86 without VNNI add pairs of products with codes
 * of activations, 0 to 255, in 16 bits: `product` is the largest with which no pair is cut off (2 * 255 * 64 < 2^15).
 */
export const largestCode = { all: 127, product: 64 } as const;

export interface CodeOptions {
  readonly sharing: Sharing;
  readonly largest: number;
}

export function int8Matrix(matrix: Matrix, { sharing, largest }: CodeOptions): Int8Matrix {
  const scales = findScales(matrix, { sharing, largest });
  const inverse = scales.map((scale) => 1 / scale);
  const { values, rows, columns, rowStep, columnStep } = matrix;
  const codes = new Int8Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const place = sharing === "column" ? column : sharing === "row" ? row : 0;
      const code = Math.round(values[row * rowStep + column * columnStep]! * inverse[place]!);
      codes[at++] = code > largest ? largest : code < -largest ? -largest : code;
    }
  }
  return { codes, scales };
}

function findScales(matrix: Matrix, { sharing, largest }: CodeOptions): Float32Array<ArrayBuffer> {
  const { values, rows, columns, rowStep, columnStep } = matrix;
  const scales = new Float32Array(scaleCount(matrix, sharing));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = Math.abs(values[row * rowStep + column * columnStep]!);
      const place = sharing === "column" ? column : sharing === "row" ? row : 0;
      if (value > scales[place]!) scales[place] = value;
    }
  }
  // A scale of 0 would divide by 0.
  return scales.map((value) => (value > 0 ? value / largest : 1));
}

function scaleCount({ rows, columns }: Pick<Matrix, "rows" | "columns">, sharing: Sharing): number {
  return sharing === "column" ? columns : sharing === "row" ? rows : 1;
}
