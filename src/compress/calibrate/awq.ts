/**
 * AWQ (arXiv 2306.00978): columns that large activations enter are made larger before rounding, and what enters them
 * smaller, by folding the factors into the norm or matrix in front. How much is searched for each layer; then the largest
 * weights of each group are cut off where that helps. The text goes through the weights as they were.
 */
import type { Visitor } from "./forward.ts";
import { findFold } from "./fold.ts";
import type { Fold } from "./fold.ts";
import { gramOf } from "./gram.ts";
import type { Gram } from "./gram.ts";
import type { MethodContext } from "./gptq.ts";
import { groupsOf } from "./grid.ts";
import { roundMatrix, rowsFor } from "./rounding.ts";
import { searchScaling } from "./scaling.ts";
import type { LinearStep, Step, Trace } from "./trace.ts";
import { cut } from "./work.ts";

/** Matrices that the same value enters. */
interface Shared extends Gram {
  readonly steps: LinearStep[];
}

export function awqVisitor(context: MethodContext, trace: Trace): Visitor {
  const { tensors, pool } = context;
  /** By the number of the value. */
  const entered = new Map<number, Shared>();
  return {
    async linear(step, x) {
      const { weight } = step;
      const id = step.inputs[0]?.id ?? 0;
      const known = entered.get(id);
      if (known) known.steps.push(step);
      else entered.set(id, { ...(await gramOf(x, weight.k, pool)), steps: [step] });
      return tensors.matrix(weight);
    },
    async layer(_, steps) {
      const groups = [...entered.values()];
      entered.clear();
      await roundLayer({ ...context, trace, steps }, groups);
    },
  };
}

interface LayerContext extends MethodContext {
  readonly trace: Trace;
  readonly steps: readonly Step[];
}

async function roundLayer(context: LayerContext, groups: readonly Shared[]): Promise<void> {
  const { grid, tensors, pool, sink, trace, steps } = context;
  const weights = new Map<Step, Float32Array>();
  for (const step of groups.flatMap((group) => group.steps)) weights.set(step, tensors.matrix(step.weight));
  const weightsOf = (step: Step): Float32Array => weights.get(step) ?? new Float32Array();
  const biases = new Map<Step, Float32Array>();
  for (const group of groups) {
    const fold = findFold(trace, steps, group.steps);
    if (!fold) continue;
    const matrices = group.steps.map((step) => ({ weights: weightsOf(step), n: step.weight.n }));
    const scaling = await searchScaling({ ...group, matrices, grid }, pool);
    if (!scaling) continue;
    for (const { weights: own } of matrices) for (let i = 0; i < own.length; i++) own[i]! *= scaling[i % group.k]!;
    for (let i = 0; i < group.products.length; i++) {
      group.products[i]! /= scaling[Math.floor(i / group.k)]! * scaling[i % group.k]!;
    }
    divide(context, fold, { scaling, weightsOf, biases });
  }
  const unclipped = queriesAndKeys(steps);
  for (const { steps: members, products: gram, k } of groups) {
    for (const step of members) {
      const { n } = step.weight;
      const own = weightsOf(step);
      if (!unclipped.has(step)) {
        const ranges = cut(n, rowsFor(n, pool.threads));
        await pool.run(ranges.map((range) => ({ kind: "clip", weights: own, k, grid, gram, ...range })));
      }
      const coded = await roundMatrix({ weights: own, n, k, grid }, pool);
      const groupOf = Uint32Array.from({ length: k }, (_, i) =>
        Math.min(groupsOf(k, grid) - 1, Math.floor(i / grid.group)),
      );
      sink.matrix(step.weight, { ...coded, groupOf });
      pool.arena.release(own, coded.codes, coded.scales, coded.zeros, coded.rounded);
    }
    pool.arena.release(gram);
  }
}

interface Dividing {
  readonly scaling: Float32Array;
  readonly weightsOf: (step: Step) => Float32Array;
  /** Those that have changed. */
  readonly biases: Map<Step, Float32Array>;
}

function divide({ tensors, sink }: MethodContext, fold: Fold, { scaling, weightsOf, biases }: Dividing): void {
  const divided = (values: Float32Array): Float32Array => values.map((value, i) => value / scaling[i]!);
  const { step } = fold;
  if (step.kind === "norm") {
    const { weight, bias } = step.options;
    if (weight) sink.vector(weight, divided(tensors.vector(weight)));
    if (bias) sink.vector(bias, divided(tensors.vector(bias)));
    return;
  }
  const own = weightsOf(step);
  const { k } = step.weight;
  for (let i = 0; i < own.length; i++) own[i]! /= scaling[Math.floor(i / k)]!;
  if (!step.bias) return;
  const bias = divided(biases.get(step) ?? tensors.vector(step.bias));
  biases.set(step, bias);
  sink.vector(step.bias, bias);
}

/** What attention multiplies with each other is not cut off: its largest weights count for more than their own output. */
function queriesAndKeys(steps: readonly Step[]): ReadonlySet<Step> {
  const found = new Set<Step>();
  for (const step of steps) {
    if (step.kind !== "attention") continue;
    for (const input of step.inputs.slice(0, 2)) {
      let made = steps.find(({ out }) => out.id === input.id);
      while (made && (made.kind === "norm" || made.kind === "scale")) {
        const [from] = made.inputs;
        made = steps.find(({ out }) => out.id === from?.id);
      }
      if (made) found.add(made);
    }
  }
  return found;
}
