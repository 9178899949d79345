/** Rounds rows of a matrix to codes, each row for itself. */
import { codeOf, groupsOf, rangeSteps } from "./grid.ts";
import type { Steps } from "./grid.ts";
import type { Machine } from "./machine.ts";
import { wholeColumns, wholeRows } from "./machine.ts";
import type { RoundPiece } from "./work.ts";

/** Columns whose errors go to the others of the block at once, and to all after it together. Groups end with blocks. */
const block = 128;

export function roundRows(machine: Machine, piece: RoundPiece): void {
  if (piece.factor) compensate(machine, piece, piece.factor);
  else roundNearest(piece);
}

function roundNearest({ weights, k, grid, coded, first, count }: RoundPiece): void {
  const last = 2 ** grid.bits - 1;
  const groups = groupsOf(k, grid);
  for (let row = first; row < first + count; row++) {
    for (let group = 0; group < groups; group++) {
      const [start, end] = [row * k + group * grid.group, row * k + Math.min(k, (group + 1) * grid.group)];
      const steps = rangeSteps(weights, start, end, grid);
      coded.scales[row * groups + group] = steps.scale;
      coded.zeros[row * groups + group] = steps.zero;
      for (let i = start; i < end; i++) {
        const code = codeOf(weights[i]!, steps, last);
        coded.codes[i] = code;
        coded.rounded[i] = (code - steps.zero) * steps.scale;
      }
    }
  }
}

/** GPTQ: the error of each column, divided among those after it so that the output changes least. */
function compensate(machine: Machine, piece: RoundPiece, factor: Float32Array): void {
  const { weights, k, order, first, count } = piece;
  const stride = wholeColumns(k);
  const errors = wholeRows(count) * stride;
  const shares = errors + wholeRows(count) * block;
  const floats = machine.room(shares + block * stride);
  for (let row = 0; row < count; row++) {
    const from = (first + row) * k;
    for (let i = 0; i < k; i++) floats[row * stride + i] = weights[from + (order?.[i] ?? i)]!;
  }
  const steps: Steps[] = Array.from({ length: count }, () => ({ scale: 1, zero: 0 }));
  for (let start = 0; start < k; start += block) {
    const end = Math.min(k, start + block);
    for (let i = start; i < end; i++) floats.set(factor.subarray(i * k, (i + 1) * k), shares + (i - start) * stride);
    for (let row = 0; row < count; row++) {
      roundBlock(piece, { floats, steps, row, start, end, stride, shares, errors: errors + row * block });
    }
    if (end === k) break;
    machine.multiply({
      a: { at: errors, stride: block },
      b: { at: shares + end, stride },
      c: { at: end, stride },
      m: count,
      n: k - end,
      k: end - start,
    });
  }
}

interface BlockWork {
  readonly floats: Float32Array;
  /** Of the group in which the row is. */
  readonly steps: Steps[];
  readonly row: number;
  readonly start: number;
  readonly end: number;
  readonly stride: number;
  readonly shares: number;
  readonly errors: number;
}

/** One row of a block; leaves its errors, less than 0, for what comes after. */
function roundBlock({ k, grid, coded, order, first }: RoundPiece, work: BlockWork): void {
  const { floats, steps, row, start, end, stride, shares, errors } = work;
  const last = 2 ** grid.bits - 1;
  const groups = groupsOf(k, grid);
  const at = row * stride;
  const to = (first + row) * k;
  for (let i = start; i < end; i++) {
    if (i % grid.group === 0) {
      const found = rangeSteps(floats, at + i, at + Math.min(k, i + grid.group), grid);
      const place = (first + row) * groups + i / grid.group;
      coded.scales[place] = found.scale;
      coded.zeros[place] = found.zero;
      steps[row] = found;
    }
    const { scale, zero } = steps[row]!;
    const weight = floats[at + i]!;
    const code = codeOf(weight, steps[row]!, last);
    const rounded = (code - zero) * scale;
    const column = to + (order?.[i] ?? i);
    coded.codes[column] = code;
    coded.rounded[column] = rounded;
    const share = shares + (i - start) * stride;
    const error = (rounded - weight) / floats[share + i]!;
    floats[errors + i - start] = error;
    for (let j = i + 1; j < end; j++) floats[at + j]! += error * floats[share + j]!;
  }
}
