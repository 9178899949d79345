/** Sums up what enters the matrices of a model, for those who want to know how much each column counts. */
import type { Counts } from "./counts.ts";
import type { Plan } from "./plan.ts";
import type { RowOp } from "./program.ts";
import type { RowContext, RunRow } from "./rows.ts";

export function observeRow(
  { x, observation }: Extract<RowOp, { kind: "observe" }>,
  { plan, memory, index }: RowContext,
): RunRow {
  const place = plan.observations[observation];
  const value = plan.values[x];
  if (!place || !value) throw new RangeError(`no observation ${observation}`);
  const { k, experts, address, workerBytes } = place;
  const floats = new Float32Array(memory.buffer);
  const sums = new Float64Array(memory.buffer, address + index * workerBytes, workerBytes / 8);
  return (row: number, counts: Counts) => {
    const to = (experts === 1 ? 0 : counts.expertOf(row)) * (k + 1);
    const from = (value.address + row * value.stride) / 4;
    for (let i = 0; i < k; i++) sums[to + i]! += floats[from + i]! ** 2;
    sums[to + k]!++;
  };
}

/** How far a layer turns what goes through it: the cosine between its input and its output. */
export function observeTurn(
  { x, before, observation }: Extract<RowOp, { kind: "observe-turn" }>,
  { plan, memory, index }: RowContext,
): RunRow {
  const place = plan.observations[observation];
  const [to, from] = [plan.values[x], plan.values[before]];
  if (!place || !to || !from) throw new RangeError(`no observation ${observation}`);
  const floats = new Float32Array(memory.buffer);
  const sums = new Float64Array(memory.buffer, place.address + index * place.workerBytes, 2);
  return (row: number) => {
    const [a, b] = [(from.address + row * from.stride) / 4, (to.address + row * to.stride) / 4];
    let [product, squaresA, squaresB] = [0, 0, 0];
    for (let i = 0; i < to.width; i++) {
      product += floats[a + i]! * floats[b + i]!;
      squaresA += floats[a + i]! ** 2;
      squaresB += floats[b + i]! ** 2;
    }
    sums[0]! += product / Math.sqrt(squaresA * squaresB || 1);
    sums[1]!++;
  };
}

export interface Observed {
  /** Of a matrix, or `layer.<n>`. */
  readonly name: string;
  /** Of the squares of each column, for each expert; of a layer the cosines. */
  readonly sums: Float64Array;
  /** Rows that were summed, for each expert. */
  readonly counts: Float64Array;
}

/** What all workers have summed up, while no step runs. A matrix that more than one value enters is there once. */
export function readObservations(plan: Plan, memories: readonly WebAssembly.Memory[]): Observed[] {
  const all = new Map<string, Observed>();
  for (const { k, experts, matrices, address, workers, workerBytes } of plan.observations) {
    for (const name of matrices) {
      const known = all.get(name) ?? { name, sums: new Float64Array(k * experts), counts: new Float64Array(experts) };
      all.set(name, known);
      for (const memory of memories) {
        addSums(known, new Float64Array(memory.buffer, address, (workers * workerBytes) / 8), { k, experts });
      }
    }
  }
  return [...all.values()];
}

function addSums(
  known: Observed,
  sums: Float64Array,
  { k, experts }: { readonly k: number; readonly experts: number },
): void {
  for (let at = 0; at < sums.length; at++) {
    const inExpert = at % (k + 1);
    const expert = Math.floor(at / (k + 1)) % experts;
    if (inExpert === k) known.counts[expert]! += sums[at]!;
    else known.sums[expert * k + inExpert]! += sums[at]!;
  }
}
