/**
 * GPTQ (arXiv 2210.17323): each matrix is rounded when the text reaches it, column by column, so that the columns that are
 * left make good what rounding did to its output. The text goes on with the rounded weights: what comes later is fitted to
 * what the smaller model really computes.
 */
import type { Visitor } from "./forward.ts";
import type { Gram } from "./gram.ts";
import { gramOf } from "./gram.ts";
import { groupsOf } from "./grid.ts";
import type { Pool } from "./pool.ts";
import { roundMatrix } from "./rounding.ts";
import type { Sink } from "./sink.ts";
import type { Tensors } from "./tensors.ts";
import type { Compensation, Grid } from "./work.ts";

export interface MethodContext {
  readonly grid: Grid;
  readonly tensors: Tensors;
  readonly pool: Pool;
  readonly sink: Sink;
}

/** Part of the mean of the diagonal that is added to it: more than in the paper, for texts that are not much longer than rows. */
export const damp = 0.05;

/**
 * Columns that the activations use most come first. `ordered`: groups follow that order (act-order); else they are
 * neighbours, which every engine reads fast.
 */
export function gptqVisitor({ grid, tensors, pool, sink }: MethodContext, ordered: boolean): Visitor {
  const { arena } = pool;
  /** Number of the value. */
  let entered: number | undefined;
  let prepared: Compensation | undefined;
  return {
    async linear(step, x) {
      const { weight } = step;
      const { n, k } = weight;
      if (entered !== step.inputs[0]?.id) {
        if (prepared) arena.release(prepared.factor);
        prepared = await prepare(await gramOf(x, k, pool), pool, ordered);
        entered = step.inputs[0]?.id;
      }
      const weights = tensors.matrix(weight);
      const coded = await roundMatrix({ weights, n, k, grid, compensation: prepared }, pool);
      sink.matrix(weight, { ...coded, groupOf: groupIndex(k, grid, ordered ? prepared?.order : undefined) });
      arena.release(weights, coded.codes, coded.scales, coded.zeros);
      return coded.rounded;
    },
  };
}

async function prepare({ products, k }: Gram, pool: Pool, ordered: boolean): Promise<Compensation> {
  const order = descending(products, k);
  const factor = pool.arena.floats(k * k);
  // A column that nothing ever enters is free: 1 keeps it apart from the others.
  for (let i = 0; i < k; i++) if (products[i * k + i] === 0) products[i * k + i] = 1;
  const importance = Float32Array.from({ length: k }, (_, i) => products[i * k + i]!);
  await pool.run([{ kind: "factor", k, gram: products, damp, order, factor }]);
  pool.arena.release(products);
  return { factor, order, ordered, importance };
}

function descending(products: Float32Array, k: number): Uint32Array {
  return new Uint32Array(k).map((_, i) => i).sort((a, b) => products[b * k + b]! - products[a * k + a]! || a - b);
}

/** The group of each column. */
function groupIndex(k: number, grid: Grid, order: Uint32Array | undefined): Uint32Array {
  const index = new Uint32Array(k);
  const last = groupsOf(k, grid) - 1;
  for (let i = 0; i < k; i++) index[order?.[i] ?? i] = Math.min(last, Math.floor(i / grid.group));
  return index;
}

/** The nearest codes, with no regard to the text: what the others are measured against. */
export function nearestVisitor({ grid, tensors, pool, sink }: MethodContext): Visitor {
  return {
    async linear({ weight }) {
      const { n, k } = weight;
      const weights = tensors.matrix(weight);
      const coded = await roundMatrix({ weights, n, k, grid }, pool);
      sink.matrix(weight, { ...coded, groupOf: groupIndex(k, grid, undefined) });
      pool.arena.release(coded.codes, coded.scales, coded.zeros, coded.rounded);
      return weights;
    },
  };
}
