/** Rounded matrices, kept in a file until all are there: rows of codes, scales and zero points, one behind the other. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { Matrix, Vector } from "../../engines/flint/graph/graph.ts";
import type { MatrixRows } from "../../formats/checkpoint/scheme.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import { floatToHalf } from "../../util/half.ts";
import { groupsOf } from "./grid.ts";
import type { Coded, Grid } from "./work.ts";

export interface Sink {
  matrix(matrix: Matrix, coded: Coded & { readonly groupOf: Uint32Array }): void;
  vector(vector: Vector, values: Float32Array): void;
}

/** A row: codes packed into bytes, low bits first; scales as f16; zero points, a byte each. */
export interface RecordShape {
  readonly k: number;
  readonly bits: number;
  readonly groups: number;
}

export function recordBytes({ k, bits, groups }: RecordShape): number {
  return (k * bits) / 8 + groups * 3;
}

interface KeptRows extends MatrixRows {
  readonly shape: RecordShape;
  readonly at: number;
}

export interface Kept extends Sink {
  /**
   * By the names of the tensors of GGUF: rows of records, which no ggml type has, as bytes. `columns` is the group of each
   * column of weights here.
   */
  readonly matrices: ReadonlyMap<string, MatrixRows>;
  readonly vectors: ReadonlyMap<string, Float32Array>;
  readonly close: () => void;
}

export function keepIn(path: string, file: GgufFile, grid: Grid): Kept {
  const descriptor = openSync(path, "wx+");
  const matrices = new Map<string, KeptRows>();
  const vectors = new Map<string, Float32Array>();
  let end = 0;
  const place = ({ name, k }: Matrix, columns: Uint32Array): KeptRows => {
    const shape = { k, bits: grid.bits, groups: groupsOf(k, grid) };
    const bytes = recordBytes(shape);
    const n = file.tensors.find((tensor) => tensor.name === name)?.shape[1] ?? 0;
    const at = end;
    end += n * bytes;
    const readRows: MatrixRows["readRows"] = (first, _, target) => readAll(descriptor, at + first * bytes, target);
    return { type: "I8", n, k: bytes, readRows, columns, shape, at };
  };
  return {
    matrices,
    vectors,
    matrix(matrix, coded) {
      const kept = matrices.get(matrix.name) ?? place(matrix, coded.groupOf);
      matrices.set(matrix.name, kept);
      writeAll(descriptor, kept.at + (matrix.row ?? 0) * kept.k, toRecords(kept.shape, matrix.n, coded));
    },
    vector({ name, start = 0 }, values) {
      const length = file.tensors.find((tensor) => tensor.name === name)?.shape[0] ?? values.length;
      if (length !== values.length) throw new RangeError(`${name} is changed in part, at ${start}`);
      vectors.set(name, values);
    },
    close: () => closeSync(descriptor),
  };
}

function toRecords(shape: RecordShape, n: number, { codes, scales, zeros }: Coded): Uint8Array {
  const { k, bits, groups } = shape;
  const bytes = recordBytes(shape);
  const codeBytes = (k * bits) / 8;
  const records = new Uint8Array(n * bytes);
  const view = new DataView(records.buffer);
  for (let row = 0; row < n; row++) {
    const at = row * bytes;
    if (bits === 8) records.set(codes.subarray(row * k, (row + 1) * k), at);
    else for (let i = 0; i < k; i += 2) records[at + i / 2] = codes[row * k + i]! | (codes[row * k + i + 1]! << 4);
    for (let group = 0; group < groups; group++) {
      view.setUint16(at + codeBytes + group * 2, floatToHalf(scales[row * groups + group]!), true);
    }
    records.set(zeros.subarray(row * groups, (row + 1) * groups), at + codeBytes + groups * 2);
  }
  return records;
}

function writeAll(descriptor: number, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}

function readAll(descriptor: number, offset: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(descriptor, target, done, target.length - done, offset + done);
    if (count === 0) throw new RangeError(`nothing is kept at ${offset + done}`);
    done += count;
  }
}
