/** Attention of one window for one head of keys. */
import type { Frequencies } from "../../engines/flint/graph/rope-table.ts";
import { writeAngles } from "../../engines/flint/graph/rope-table.ts";
import type { AttentionOptions, RopeOptions } from "../../engines/flint/graph/graph.ts";
import { exp } from "./exp.ts";
import type { Machine } from "./machine.ts";
import { wholeColumns, wholeRows } from "./machine.ts";
import type { AttentionPiece } from "./work.ts";

export function attend(machine: Machine, piece: AttentionPiece): void {
  const { options, tokens, keyHead, first } = piece;
  const { heads, keyHeads, headWidth, valueWidth } = options;
  const scoreStride = wholeColumns(tokens);
  const valueStride = wholeColumns(valueWidth);
  const keys = wholeRows(tokens) * headWidth;
  const values = keys + headWidth * scoreStride;
  const scores = values + tokens * valueStride;
  const out = scores + wholeRows(tokens) * scoreStride;
  const floats = machine.room(out + wholeRows(tokens) * valueStride);
  const angles = piece.frequencies && anglesOf(piece.frequencies, tokens);
  const head = new Float32Array(headWidth);
  const totals = new Float64Array(tokens);
  const load = (from: Float32Array, width: number, row: number, at: number): void => {
    head.set(from.subarray((first + row) * width + at, (first + row) * width + at + headWidth));
    if (angles && options.rope) rotate(head, options.rope, angles.subarray(row * options.rope.dimensions));
  };
  for (let row = 0; row < tokens; row++) {
    load(piece.k, keyHeads * headWidth, row, keyHead * headWidth);
    for (let i = 0; i < headWidth; i++) floats[keys + i * scoreStride + row] = head[i]!;
    const at = (first + row) * keyHeads * valueWidth + keyHead * valueWidth;
    floats.set(piece.v.subarray(at, at + valueWidth), values + row * valueStride);
  }
  const shared = heads / keyHeads;
  for (let query = keyHead * shared; query < (keyHead + 1) * shared; query++) {
    for (let row = 0; row < tokens; row++) {
      load(piece.q, heads * headWidth, row, query * headWidth);
      floats.set(head, row * headWidth);
    }
    floats.fill(0, scores, out + wholeRows(tokens) * valueStride);
    machine.multiply({
      a: { at: 0, stride: headWidth },
      b: { at: keys, stride: scoreStride },
      c: { at: scores, stride: scoreStride },
      m: tokens,
      n: tokens,
      k: headWidth,
    });
    for (let row = 0; row < tokens; row++) {
      totals[row] = soften(
        floats.subarray(scores + row * scoreStride, scores + row * scoreStride + tokens),
        row,
        options,
      );
    }
    machine.multiply({
      a: { at: scores, stride: scoreStride },
      b: { at: values, stride: valueStride },
      c: { at: out, stride: valueStride },
      m: tokens,
      n: valueWidth,
      k: tokens,
    });
    for (let row = 0; row < tokens; row++) {
      const from = out + row * valueStride;
      const to = ((first + row) * heads + query) * valueWidth;
      for (let i = 0; i < valueWidth; i++) piece.y[to + i] = floats[from + i]! / totals[row]!;
    }
  }
}

function anglesOf(frequencies: Frequencies, tokens: number): Float32Array {
  const width = frequencies.values.length * 2;
  const angles = new Float32Array(tokens * width);
  for (let row = 0; row < tokens; row++) writeAngles(angles, row * width, frequencies, row);
  return angles;
}

function rotate(head: Float32Array, { dimensions, pairing }: RopeOptions, angles: Float32Array): void {
  const half = dimensions / 2;
  for (let pair = 0; pair < half; pair++) {
    const left = pairing === "halves" ? pair : 2 * pair;
    const right = pairing === "halves" ? pair + half : left + 1;
    const [cos, sin] = [angles[2 * pair]!, angles[2 * pair + 1]!];
    const [a, b] = [head[left]!, head[right]!];
    head[left] = a * cos - b * sin;
    head[right] = a * sin + b * cos;
  }
}

/** Less than e to this is nothing beside the largest, and numbers that f32 can hardly hold are slow to compute with. */
const least = -30;

/** Scores → shares of what a row sees, which are still to be divided by their sum; 0 for the rest. Gives the sum. */
function soften(row: Float32Array, position: number, { scale, softCap, window }: AttentionOptions): number {
  const from = window === undefined ? 0 : Math.max(0, position - window + 1);
  let most = -Infinity;
  for (let i = from; i <= position; i++) {
    const score = row[i]! * scale;
    const capped = softCap === undefined ? score : softCap * Math.tanh(score / softCap);
    row[i] = capped;
    if (capped > most) most = capped;
  }
  let total = 0;
  for (let i = from; i <= position; i++) {
    const score = row[i]! - most;
    const share = score < least ? 0 : exp(score);
    row[i] = share;
    total += share;
  }
  row.fill(0, 0, from);
  row.fill(0, position + 1);
  return total;
}
