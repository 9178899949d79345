/** Matrices made of others: rows in another order, joined, cut. Nothing is read before it is asked for. */
import { ggmlType, tensorBytes } from "../gguf/ggml.ts";
import type { GgmlTypeName } from "../gguf/ggml.ts";
import { malformed, unsupported } from "./json.ts";
import type { MatrixRows, RawTensor } from "./scheme.ts";
import { shapeText } from "../safetensors/parse.ts";

/** Bytes of one row. */
export function rowBytes({ type, k }: Pick<MatrixRows, "type" | "k">): number {
  return tensorBytes(ggmlType(type), [k]);
}

const plainTypes: Readonly<Record<string, GgmlTypeName>> = { F32: "F32", F16: "F16", BF16: "BF16" };

/**
 * A tensor as rows: [n, k], stacked [experts, n, k] as experts · n rows, a vector [n] as n rows of one. Throws
 * `model_unsupported` for types that are no weights.
 */
export function rawRows(raw: RawTensor): MatrixRows {
  const { name, dtype, shape } = raw;
  const type = plainTypes[dtype];
  if (type === undefined) {
    const hint = dtype === "F64" ? "Save it again as float32 or bfloat16." : undefined;
    throw unsupported(name, dtype, "is a type of weights that hearth does not read here", hint);
  }
  if (shape.length < 1 || shape.length > 3 || shape.includes(0)) {
    throw malformed(name, "shape", `is ${shapeText(shape)}; 1 to 3 dimensions of at least 1 are possible`);
  }
  const k = shape.length === 1 ? 1 : (shape.at(-1) ?? 1);
  const n = shape.reduce((product, dimension) => product * dimension, 1) / k;
  const bytes = rowBytes({ type, k });
  return { type, n, k, readRows: (first, _, target) => raw.read(first * bytes, target) };
}

/** Which rows of a matrix, in which order. */
export interface RowOrder {
  readonly n: number;
  readonly at: (row: number) => number;
}

/** Rows are read together where those that are wanted do not lie much further apart than they are many. */
const spread = 4;

export function orderRows(rows: MatrixRows, { n, at }: RowOrder): MatrixRows {
  const bytes = rowBytes(rows);
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const wanted = Array.from({ length: count }, (_, index) => at(first + index));
    const lowest = wanted.reduce((least, row) => Math.min(least, row), Infinity);
    const span = wanted.reduce((most, row) => Math.max(most, row), 0) - lowest + 1;
    if (wanted.every((row, index) => row === lowest + index)) return rows.readRows(lowest, count, target);
    if (span <= spread * count) {
      const source = new Uint8Array(span * bytes);
      rows.readRows(lowest, span, source);
      wanted.forEach((row, index) => {
        target.set(source.subarray((row - lowest) * bytes, (row - lowest + 1) * bytes), index * bytes);
      });
      return;
    }
    for (const { from, to, length } of runs(wanted)) {
      rows.readRows(from, length, target.subarray(to * bytes, (to + length) * bytes));
    }
  };
  return { ...rows, n, readRows };
}

interface Run {
  readonly from: number;
  readonly to: number;
  length: number;
}

/** Rows that follow one another in both matrices. */
function runs(wanted: readonly number[]): readonly Run[] {
  const found: Run[] = [];
  for (const [to, from] of wanted.entries()) {
    const last = found.at(-1);
    if (last && last.from + last.length === from) last.length++;
    else found.push({ from, to, length: 1 });
  }
  return found;
}

/** One matrix below the other. They must be of one type and width; `name` is for the error. */
export function joinRows(parts: readonly MatrixRows[], name: string): MatrixRows {
  const [first] = parts;
  if (!first) throw new RangeError("no matrices to join");
  const other = parts.find(({ type, k }) => type !== first.type || k !== first.k);
  if (other) {
    const sizes = `${first.type} with rows of ${first.k}, and ${other.type} with rows of ${other.k}`;
    const hint = "Convert the checkpoint to one type: `hearth convert FOLDER --type f16 --out FILE.gguf`.";
    throw malformed(name, "parts", `of one tensor differ: ${sizes}`, other.k === first.k ? hint : undefined);
  }
  if (parts.length === 1) return first;
  if (parts.some(({ columns }) => !sameColumns(columns, first.columns))) {
    throw malformed(name, "g_idx", "differs between the parts of one tensor");
  }
  const starts = [0];
  for (const { n } of parts) starts.push((starts.at(-1) ?? 0) + n);
  const bytes = rowBytes(first);
  const readRows: MatrixRows["readRows"] = (from, count, target) => {
    for (const [index, part] of parts.entries()) {
      const start = starts[index] ?? 0;
      const begin = Math.max(from, start);
      const end = Math.min(from + count, start + part.n);
      if (begin >= end) continue;
      part.readRows(begin - start, end - begin, target.subarray((begin - from) * bytes, (end - from) * bytes));
    }
  };
  return { ...first, n: starts.at(-1) ?? 0, readRows };
}

function sameColumns(left: MatrixRows["columns"], right: MatrixRows["columns"]): boolean {
  return left?.length === right?.length && (left?.every((column, place) => column === right?.[place]) ?? true);
}

/** Rows of float32 that we computed ourselves. */
export function constantRows(values: Float32Array): MatrixRows {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const readRows: MatrixRows["readRows"] = (first, count, target) =>
    target.set(bytes.subarray(first * 4, (first + count) * 4));
  return { type: "F32", n: values.length, k: 1, readRows };
}
