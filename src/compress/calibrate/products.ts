/** The two products of a calibration: what a matrix makes of its input, and what its input says of its columns. */
import type { Machine } from "./machine.ts";
import { wholeColumns, wholeRows } from "./machine.ts";
import type { GramPiece, LinearPiece } from "./work.ts";

/** Columns of the weights that are in the memory at once. */
const blockColumns = 512;

export function multiplyRows(machine: Machine, piece: LinearPiece): void {
  const { x, y, k, n, weights, bias, first, count } = piece;
  const stride = wholeColumns(Math.min(n, blockColumns));
  const [left, right] = [0, wholeRows(count) * k];
  const out = right + k * stride;
  const floats = machine.room(out + wholeRows(count) * stride);
  floats.set(x.subarray(first * k, (first + count) * k), left);
  for (let from = 0; from < n; from += blockColumns) {
    const columns = Math.min(blockColumns, n - from);
    for (let i = 0; i < k; i++) {
      floats.set(weights.subarray(i * n + from, i * n + from + columns), right + i * stride);
    }
    const start = bias?.subarray(from, from + columns);
    for (let row = 0; row < count; row++) {
      const at = out + row * stride;
      if (start) floats.set(start, at);
      else floats.fill(0, at, at + columns);
    }
    machine.multiply({
      a: { at: left, stride: k },
      b: { at: right, stride },
      c: { at: out, stride },
      m: count,
      n: columns,
      k,
    });
    for (let row = 0; row < count; row++) {
      const at = out + row * stride;
      y.set(floats.subarray(at, at + columns), (first + row) * n + from);
    }
  }
}

/** Tokens that are in the memory at once. */
const blockTokens = 256;

/** Sums of 256 products in float32, added up in float32. Only what is right of the diagonal is computed, and mirrored. */
export function addGram(machine: Machine, { x, k, factors, gram, first, count }: GramPiece): void {
  const width = k - first;
  const stride = wholeColumns(width);
  const out = blockTokens * stride;
  const floats = machine.room(out + wholeRows(count) * stride);
  floats.fill(0, out, out + wholeRows(count) * stride);
  const rows = x.length / k;
  for (let row = 0; row < rows; row += blockTokens) {
    const tokens = Math.min(blockTokens, rows - row);
    for (let token = 0; token < tokens; token++) {
      const from = (row + token) * k;
      floats.set(x.subarray(from + first, from + k), token * stride);
      const factor = factors[row + token]!;
      if (factor !== 1) for (let i = 0; i < width; i++) floats[token * stride + i]! *= factor;
    }
    machine.multiply({
      a: { at: 0, stride: 1, step: stride },
      b: { at: 0, stride },
      c: { at: out, stride },
      m: count,
      n: width,
      k: tokens,
    });
  }
  for (let i = 0; i < count; i++) {
    for (let j = i; j < width; j++) {
      const sum = floats[out + i * stride + j]!;
      gram[(first + i) * k + first + j] = sum;
      gram[(first + j) * k + first + i] = sum;
    }
  }
}
