/** Matrices of integer codes, whatever packed them, as rows of ggml. */
import { floatToHalf, halves } from "../../../util/half.ts";
import { ggmlType, tensorBytes } from "../../gguf/ggml.ts";
import type { MatrixRows, OpenLayerOptions } from "../scheme.ts";
import { rowWriters } from "./blocks.ts";
import type { CodedType, WriteRow } from "./blocks.ts";
import { createCache } from "./cache.ts";
import type { Cache } from "./cache.ts";
import { isInBlocks, sortColumns } from "./order.ts";
import { partFault } from "./parts.ts";

/** weight = scale · (code - zero point), both of them of the group that the column belongs to. */
export interface CodedMatrix {
  /** Of the tensor with the codes. */
  readonly name: string;
  readonly n: number;
  readonly k: number;
  readonly bits: number;
  /** Groups of a row, and that of each column. */
  readonly groups: number;
  readonly groupOf: Uint32Array;
  /** The zero point, where all groups are known to have the same. */
  readonly zero: number | undefined;
  /** Fills `codes` with rows, one byte a code, from 0 up. */
  readCodes(first: number, count: number, codes: Uint8Array): void;
  /** [n][groups] */
  readScales(): Float32Array;
  /** The same; not asked where `zero` is known. */
  readZeros?(): Int16Array;
}

/** Scales and zero points of a whole matrix. */
interface Grid {
  readonly scales: Float32Array;
  readonly zeros: Int16Array;
}

/** What the layers of a checkpoint keep between them. */
export interface Shelf {
  readonly strips: Cache<Uint32Array>;
  readonly grids: Cache<Grid>;
}

const stripsBytes = 16 * 1024 * 1024;
const gridsBytes = 16 * 1024 * 1024;

export function createShelf(): Shelf {
  return {
    strips: createCache(stripsBytes, (words) => words.byteLength),
    grids: createCache(gridsBytes, ({ scales, zeros }) => scales.byteLength + zeros.byteLength),
  };
}

/**
 * The smallest type that keeps the codes. Two and three bits minus a zero point fit into the four of Q4_0, and five to seven
 * into the eight of Q8_0. Eight bits with a zero point need nine: they become what the tools compute, f16.
 */
function typeFor({ bits, zero }: CodedMatrix): CodedType {
  if (bits < 4) return "Q4_0";
  if (bits === 4) return zero === 8 ? "Q4_0" : "Q4_1";
  return bits < 8 || zero === 128 ? "Q8_0" : "F16";
}

/**
 * Errors: scales are rounded to f16, which changes nothing where they are f16, or bf16 from 2^-17 up; the minimum of Q4_1 is
 * rounded to f16 (2^-11 of it at most). Where columns that share a group do not fill blocks of 32, all weights are rounded to f16.
 */
export function codedRows(matrix: CodedMatrix, shelf: Shelf, { reorder = false }: OpenLayerOptions = {}): MatrixRows {
  const { groupOf } = matrix;
  if (isInBlocks(groupOf)) return createRows(matrix, { type: typeFor(matrix), groupOf, shelf });
  const sorted = reorder ? sortColumns(groupOf) : undefined;
  if (sorted && isInBlocks(sorted.groupOf) && typeFor(matrix) !== "F16") {
    const rows = createRows(matrix, { type: typeFor(matrix), ...sorted, shelf });
    return { ...rows, columns: sorted.columns };
  }
  return createRows(matrix, { type: "F16", groupOf, shelf });
}

interface Writing {
  readonly type: CodedType;
  readonly groupOf: Uint32Array;
  /** The column that stands at each place; absent: that of the same number. */
  readonly columns?: Uint32Array;
  readonly shelf: Shelf;
}

/** Codes that are unpacked at a time. */
const chunkCodes = 256 * 1024;

function createRows(matrix: CodedMatrix, { type, groupOf, columns, shelf }: Writing): MatrixRows {
  const { n, k, groups } = matrix;
  const rowBytes = tensorBytes(ggmlType(type), [k]);
  const step = Math.max(8, Math.floor(chunkCodes / k / 8) * 8);
  const write: WriteRow = rowWriters[type];
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const { scales, zeros } = shelf.grids.get(matrix.name, () => readGrid(matrix));
    const codes = new Uint8Array(Math.min(step, count) * k);
    const ordered = new Uint8Array(k);
    const row = new Uint16Array(rowBytes / 2);
    for (let start = 0; start < count; start += step) {
      const some = Math.min(step, count - start);
      matrix.readCodes(first + start, some, codes.subarray(0, some * k));
      for (let index = 0; index < some; index++) {
        const at = (first + start + index) * groups;
        const own = codes.subarray(index * k, (index + 1) * k);
        if (columns) for (let i = 0; i < k; i++) ordered[i] = own[columns[i]!]!;
        write(
          {
            codes: columns ? ordered : own,
            groupOf,
            scales: scales.subarray(at, at + groups),
            zeros: zeros.subarray(at, at + groups),
          },
          row,
        );
        target.set(new Uint8Array(row.buffer), (start + index) * rowBytes);
      }
    }
  };
  return { type, n, k, readRows };
}

function readGrid(matrix: CodedMatrix): Grid {
  const { name, n, groups, zero } = matrix;
  // As the file will have them, so that minima fit their scales.
  const scales = matrix.readScales().map((scale) => {
    const half = halves[floatToHalf(scale)]!;
    if (Number.isFinite(half)) return half;
    throw partFault(name, `has a scale of ${scale}, beyond the range of f16`);
  });
  const zeros = zero === undefined ? matrix.readZeros?.() : undefined;
  return { scales, zeros: zeros ?? new Int16Array(n * groups).fill(zero ?? 0) };
}
