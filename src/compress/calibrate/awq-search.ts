/** The two searches of AWQ (arXiv 2306.00978), with the error of the output from the Gram matrix: dᵀ · H · d. */
import { codeOf, groupsOf, rangeSteps } from "./grid.ts";
import type { Machine } from "./machine.ts";
import { wholeColumns, wholeRows } from "./machine.ts";
import type { ClipPiece, Grid, TrialPiece } from "./work.ts";

export function tryScalings(machine: Machine, piece: TrialPiece): void {
  const { weights, k, grid, gram, scalings, errors, first, count } = piece;
  const stride = wholeColumns(k);
  const differences = k * stride;
  const out = differences + wholeRows(count) * stride;
  const floats = machine.room(out + wholeRows(count) * stride);
  for (let i = 0; i < k; i++) floats.set(gram.subarray(i * k, (i + 1) * k), i * stride);
  const trials = scalings.length / k;
  const scaled = new Float32Array(k);
  for (let trial = 0; trial < trials; trial++) {
    const scaling = scalings.subarray(trial * k, (trial + 1) * k);
    for (let row = 0; row < count; row++) {
      const from = (first + row) * k;
      const to = differences + row * stride;
      for (let i = 0; i < k; i++) scaled[i] = weights[from + i]! * scaling[i]!;
      roundRow(scaled, grid);
      for (let i = 0; i < k; i++) floats[to + i] = scaled[i]! / scaling[i]! - weights[from + i]!;
    }
    outputErrors(machine, floats, { k, count, right: 0, left: differences, out, stride }, (row, error) => {
      errors[(first + row) * trials + trial] = error;
    });
  }
}

interface ErrorPlace {
  readonly k: number;
  readonly count: number;
  /** The Gram matrix, the differences of `count` rows, and room. */
  readonly right: number;
  readonly left: number;
  readonly out: number;
  readonly stride: number;
}

function outputErrors(
  machine: Machine,
  floats: Float32Array,
  { k, count, right, left, out, stride }: ErrorPlace,
  take: (row: number, error: number) => void,
): void {
  floats.fill(0, out, out + wholeRows(count) * stride);
  machine.multiply({
    a: { at: left, stride },
    b: { at: right, stride },
    c: { at: out, stride },
    m: count,
    n: k,
    k,
  });
  for (let row = 0; row < count; row++) {
    let error = 0;
    const [a, b] = [left + row * stride, out + row * stride];
    for (let i = 0; i < k; i++) error += floats[a + i]! * floats[b + i]!;
    take(row, error);
  }
}

function roundRow(row: Float32Array, grid: Grid): void {
  const last = 2 ** grid.bits - 1;
  for (let start = 0; start < row.length; start += grid.group) {
    const end = Math.min(row.length, start + grid.group);
    const steps = rangeSteps({ weights: row, start, end }, grid);
    for (let i = start; i < end; i++) row[i] = (codeOf(row[i]!, steps, last) - steps.zero) * steps.scale;
  }
}

/** Down to half of the largest weight, a twentieth of it at a time. */
const clipSteps = 10;
const clipPart = 1 / 20;

export function clip(machine: Machine, { weights, k, grid, gram, first, count }: ClipPiece): void {
  const groups = groupsOf(k, grid);
  for (let group = 0; group < groups; group++) {
    const start = group * grid.group;
    const width = Math.min(k, start + grid.group) - start;
    const stride = wholeColumns(width);
    const left = width * stride;
    const out = left + wholeRows(count) * stride;
    const floats = machine.room(out + wholeRows(count) * stride);
    for (let i = 0; i < width; i++) {
      const from = (start + i) * k + start;
      floats.set(gram.subarray(from, from + width), i * stride);
    }
    const limits = new Float64Array(count).fill(Infinity);
    const least = new Float64Array(count).fill(Infinity);
    const row = new Float32Array(width);
    const part = (index: number): Float32Array => {
      const from = (first + index) * k + start;
      return weights.subarray(from, from + width);
    };
    const largest = Float64Array.from({ length: count }, (_, index) =>
      part(index).reduce((most, weight) => Math.max(most, Math.abs(weight)), 0),
    );
    for (let step = 0; step < clipSteps; step++) {
      for (let index = 0; index < count; index++) {
        const own = part(index);
        const limit = largest[index]! * (1 - step * clipPart);
        for (let i = 0; i < width; i++) row[i] = Math.max(-limit, Math.min(limit, own[i]!));
        roundRow(row, grid);
        for (let i = 0; i < width; i++) floats[left + index * stride + i] = row[i]! - own[i]!;
      }
      outputErrors(machine, floats, { k: width, count, right: 0, left, out, stride }, (index, error) => {
        if (error >= least[index]!) return;
        least[index] = error;
        limits[index] = largest[index]! * (1 - step * clipPart);
      });
    }
    for (let index = 0; index < count; index++) {
      const own = part(index);
      for (let i = 0; i < width; i++) own[i] = Math.max(-limits[index]!, Math.min(limits[index]!, own[i]!));
    }
  }
}
