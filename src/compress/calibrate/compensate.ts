/** GPTQ: the error of each column is divided among those after it so that the output changes least. */
import { codeOf, groupsOf, nearestSteps } from "./grid.ts";
import type { Steps } from "./grid.ts";
import type { Machine } from "./machine.ts";
import { wholeColumns, wholeRows } from "./machine.ts";
import type { Compensation, RoundPiece } from "./work.ts";

/** Columns whose errors go to the others of the block at once, and to all after it together. Groups end with blocks. */
const block = 128;

export function compensate(machine: Machine, piece: RoundPiece, compensation: Compensation): void {
  const { k, count } = piece;
  const { factor } = compensation;
  const stride = wholeColumns(k);
  const errors = wholeRows(count) * stride;
  const shares = errors + wholeRows(count) * block;
  const floats = machine.room(shares + block * stride);
  const rows = loadRows(piece, compensation, { floats, stride });
  for (let start = 0; start < k; start += block) {
    const end = Math.min(k, start + block);
    for (let i = start; i < end; i++) floats.set(factor.subarray(i * k, (i + 1) * k), shares + (i - start) * stride);
    for (const [index, row] of rows.entries()) {
      roundBlock(piece, row, { floats, start, end, stride, shares, errors: errors + index * block });
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

interface Row {
  /** In the memory and among all rows. */
  readonly at: number;
  readonly number: number;
  readonly order: Uint32Array;
  /** Group of each place of the order. */
  readonly groupOf: Uint32Array;
  /** Of each group; those that follow the order are found when it gets there. */
  readonly steps: Steps[];
  /** By the order; undefined: the steps are known. */
  readonly importance: Float32Array | undefined;
}

interface Room {
  readonly floats: Float32Array;
  readonly stride: number;
}

function loadRows(piece: RoundPiece, compensation: Compensation, { floats, stride }: Room): readonly Row[] {
  const { weights, k, grid, first, count } = piece;
  const { order, importance, ordered } = compensation;
  const sorted = ordered ? importance.map((_, i) => importance[order[i]!]!) : undefined;
  const groupOf = order.map((column, i) => Math.floor((ordered ? i : column) / grid.group));
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    for (let i = 0; i < k; i++) floats[index * stride + i] = weights[number * k + order[i]!]!;
    const steps = ordered ? [] : placedSteps(piece, number, importance);
    return { at: index * stride, number, order, groupOf, steps, importance: sorted };
  });
}

function placedSteps({ weights, k, grid }: RoundPiece, row: number, importance: Float32Array): Steps[] {
  return Array.from({ length: groupsOf(k, grid) }, (_, group) => {
    const [start, end] = [group * grid.group, Math.min(k, (group + 1) * grid.group)];
    return nearestSteps({ weights, start: row * k + start, end: row * k + end }, grid, importance.subarray(start, end));
  });
}

interface BlockWork extends Room {
  readonly start: number;
  readonly end: number;
  readonly shares: number;
  readonly errors: number;
}

/** One row of a block; leaves its errors, less than 0, for what comes after. */
function roundBlock({ k, grid, coded }: RoundPiece, row: Row, work: BlockWork): void {
  const { floats, start, end, stride, shares, errors } = work;
  const { at, number, order, groupOf, steps, importance } = row;
  const last = 2 ** grid.bits - 1;
  const groups = groupsOf(k, grid);
  for (let i = start; i < end; i++) {
    const group = groupOf[i]!;
    if (importance && i % grid.group === 0) {
      const part = { weights: floats, start: at + i, end: at + Math.min(k, i + grid.group) };
      steps[group] = nearestSteps(part, grid, importance.subarray(i));
    }
    const { scale, zero } = steps[group]!;
    coded.scales[number * groups + group] = scale;
    coded.zeros[number * groups + group] = zero;
    const weight = floats[at + i]!;
    const code = codeOf(weight, steps[group]!, last);
    const rounded = (code - zero) * scale;
    const column = number * k + order[i]!;
    coded.codes[column] = code;
    coded.rounded[column] = rounded;
    const share = shares + (i - start) * stride;
    const error = (rounded - weight) / floats[share + i]!;
    floats[errors + i - start] = error;
    for (let j = i + 1; j < end; j++) floats[at + j]! += error * floats[share + j]!;
  }
}
