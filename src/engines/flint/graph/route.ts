/** Chooses experts (mixture of experts, arXiv 2101.03961) and sorts the choices by expert, so that each one's rows stand together. */
import type { ExpertsOptions } from "./graph.ts";
import type { StageRunner } from "./runner.ts";
import type { RouteOp, RowSpace } from "./program.ts";
import type { RowContext } from "./rows.ts";

export function routeRunner(
  { op, rows }: { readonly op: RouteOp; readonly rows: RowSpace },
  { plan, memory }: RowContext,
  /** The memory that all workers read counts from. */
  first: WebAssembly.Memory,
): StageRunner {
  const floats = new Float32Array(memory.buffer);
  const words = new Int32Array(first.buffer);
  const scores = plan.values[op.scores];
  if (!scores) throw new RangeError(`no value ${op.scores}`);
  const { count, used } = op.options;
  const { slotRows, slotWeights, slotOf, expertStarts } = plan.step;
  return {
    pieces: () => 1,
    alone: true,
    run(_, counts) {
      const total = counts.rows(rows);
      const chosen = new Int32Array(total * used);
      const starts = new Int32Array(count + 1);
      for (let row = 0; row < total; row++) {
        const at = (scores.address + row * scores.stride) / 4;
        const choice = chooseExperts(floats.subarray(at, at + count), op.options);
        choice.experts.forEach((expert, index) => {
          chosen[row * used + index] = expert;
          starts[expert + 1]! += 1;
          floats[slotWeights / 4 + row * used + index] = choice.weights[index] ?? 0;
        });
      }
      for (let expert = 0; expert < count; expert++) starts[expert + 1]! += starts[expert]!;
      words.set(starts, expertStarts / 4);
      const next = starts.slice();
      for (let index = 0; index < chosen.length; index++) {
        const slot = next[chosen[index]!]!++;
        words[slotRows / 4 + slot] = Math.floor(index / used);
        words[slotOf / 4 + index] = slot;
      }
    },
  };
}

interface Choice {
  readonly experts: readonly number[];
  readonly weights: readonly number[];
}

/** The experts of one row, highest score first, the lower number where scores are equal. */
export function chooseExperts(scores: Float32Array, options: ExpertsOptions): Choice {
  const { used, scoring, normalize, scale = 1 } = options;
  const shares = sharesOf(scores, scoring);
  const experts = [...shares.keys()].sort((a, b) => shares[b]! - shares[a]! || a - b).slice(0, used);
  const raw = experts.map((expert) => shares[expert] ?? 0);
  const weights = scoring === "softmax-chosen" ? softmax(raw) : raw;
  const sum = normalize ? weights.reduce((total, weight) => total + weight, 0) : 1;
  return { experts, weights: weights.map((weight) => (weight / sum) * scale) };
}

function sharesOf(scores: Float32Array, scoring: ExpertsOptions["scoring"]): number[] {
  const values = [...scores];
  switch (scoring) {
    case "softmax":
      return softmax(values);
    case "sigmoid":
      return values.map((value) => 1 / (1 + Math.exp(-value)));
    case "softmax-chosen":
      return values;
  }
}

function softmax(values: readonly number[]): number[] {
  const highest = Math.max(...values);
  const parts = values.map((value) => Math.exp(value - highest));
  const sum = parts.reduce((total, part) => total + part, 0);
  return parts.map((part) => part / sum);
}
