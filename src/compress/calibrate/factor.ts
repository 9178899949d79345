/**
 * What GPTQ (arXiv 2210.17323) wants of a Gram matrix H: the upper U with Uᵀ · U = H⁻¹, whose rows say how the error of a
 * column is made good by those after it. H = U⁻¹ · U⁻ᵀ, so that it is had without H⁻¹: a Cholesky decomposition from the
 * last column on, and the inverse of a triangle. All rows and columns are turned round here, which makes that a usual one.
 */
import { HearthError } from "../../error.ts";
import type { Machine } from "./machine.ts";
import { wholeColumns, wholeRows } from "./machine.ts";
import type { FactorPiece } from "./work.ts";

const block = 64;
const mostTries = 6;

/** Doubles what is added to the diagonal until the matrix is positive definite in float32. */
export function factorize(machine: Machine, piece: FactorPiece): void {
  const { k, factor } = piece;
  const stride = wholeColumns(k);
  const size = wholeRows(k) * stride;
  const place: Place = { k, stride, inverse: size, room: 2 * size };
  let damp = piece.damp;
  for (let tries = 0; ; tries++, damp *= 4) {
    const floats = machine.room(place.room + stride * block + wholeRows(k) * wholeColumns(block));
    load(floats, place, { ...piece, damp });
    if (decompose(machine, floats, place)) break;
    if (tries === mostTries) {
      throw new HearthError(
        "internal",
        `A Gram matrix of ${k} columns is not positive definite, however it is damped.`,
      );
    }
  }
  const floats = machine.room(place.room);
  invert(machine, floats, place);
  for (let i = 0; i < k; i++) {
    const from = place.inverse + (k - 1 - i) * stride;
    factor.fill(0, i * k, i * k + i);
    for (let j = i; j < k; j++) factor[i * k + j] = floats[from + k - 1 - j]!;
  }
}

interface Place {
  readonly k: number;
  readonly stride: number;
  /** The matrix stands at 0. */
  readonly inverse: number;
  readonly room: number;
}

function load(floats: Float32Array, { k, stride, inverse }: Place, { gram, damp, order }: FactorPiece): void {
  let mean = 0;
  for (let i = 0; i < k; i++) mean += gram[i * k + i]! / k;
  const added = damp * (mean > 0 ? mean : 1);
  const column = (turned: number): number => order[k - 1 - turned]!;
  for (let i = 0; i < k; i++) {
    const row = column(i) * k;
    for (let j = 0; j <= i; j++) floats[i * stride + j] = gram[row + column(j)]!;
    floats[i * stride + i]! += added;
    floats.fill(0, inverse + i * stride, inverse + (i + 1) * stride);
  }
}

/** L of the lower half in its place; false: there is none. Column blocks, each with the help of those before it. */
function decompose(machine: Machine, floats: Float32Array, { k, stride, room }: Place): boolean {
  const out = room + stride * block;
  const outStride = wholeColumns(block);
  for (let start = 0; start < k; start += block) {
    const columns = Math.min(block, k - start);
    const rows = k - start;
    if (start > 0) {
      for (let j = 0; j < columns; j++) {
        const from = (start + j) * stride;
        for (let i = 0; i < start; i++) floats[room + i * outStride + j] = -floats[from + i]!;
      }
      floats.fill(0, out, out + wholeRows(rows) * outStride);
      machine.multiply({
        a: { at: start * stride, stride },
        b: { at: room, stride: outStride },
        c: { at: out, stride: outStride },
        m: rows,
        n: columns,
        k: start,
      });
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) floats[(start + i) * stride + start + j]! += floats[out + i * outStride + j]!;
      }
    }
    if (!decomposeBlock(floats.subarray(start * stride + start), { columns, rows, stride })) return false;
  }
  return true;
}

interface BlockPlace {
  readonly columns: number;
  readonly rows: number;
  readonly stride: number;
}

function decomposeBlock(floats: Float32Array, { columns, rows, stride }: BlockPlace): boolean {
  for (let i = 0; i < rows; i++) {
    const row = i * stride;
    for (let j = 0; j <= Math.min(i, columns - 1); j++) {
      let sum = floats[row + j]!;
      for (let m = 0; m < j; m++) sum -= floats[row + m]! * floats[j * stride + m]!;
      if (i !== j) floats[row + j] = sum / floats[j * stride + j]!;
      else if (sum > 0) floats[row + j] = Math.sqrt(sum);
      else return false;
    }
  }
  return true;
}

/** L⁻¹, a block of rows at a time, each from those above it. */
function invert(machine: Machine, floats: Float32Array, { k, stride, inverse }: Place): void {
  for (let start = 0; start < k; start += block) {
    const rows = Math.min(block, k - start);
    if (start > 0) {
      machine.multiply({
        a: { at: start * stride, stride },
        b: { at: inverse, stride },
        c: { at: inverse + start * stride, stride },
        m: rows,
        n: start,
        k: start,
      });
    }
    for (let i = start; i < start + rows; i++) {
      const to = inverse + i * stride;
      for (let j = 0; j < start; j++) floats[to + j] = -floats[to + j]!;
      floats[to + i] = 1;
      for (let m = start; m < i; m++) {
        const share = floats[i * stride + m]!;
        const from = inverse + m * stride;
        for (let j = 0; j <= m; j++) floats[to + j]! -= share * floats[from + j]!;
      }
      const scale = 1 / floats[i * stride + i]!;
      for (let j = 0; j <= i; j++) floats[to + j]! *= scale;
    }
  }
}
