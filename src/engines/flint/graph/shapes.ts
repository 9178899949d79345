import { rowGroup } from "../weights/layout.ts";
import type { Matrix, RowsGraph, Value } from "./graph.ts";

/** Heads are computed in vectors of so many floats. */
const lanes = 4;

/** A step has a table of them (`graph/plan.ts`), and a stage a piece for each (`threads/control.ts`). */
const mostExperts = 1023;

/** What to do about a model that the kernels do not fit; it throws. `field`: the tensor or key that shows it. */
export type RefuseShape = (problem: string, field: string) => never;

/**
 * A graph that computes nothing and only keeps account of widths: to run a forward pass for its look-ups of tensors, and
 * to hear of shapes that the kernels cannot compute.
 */
export function createShapes(refuse: RefuseShape = fail): RowsGraph {
  const expectWhole = ({ name, row = 0 }: Matrix): void => {
    if (row % rowGroup !== 0) refuse(`divides ${name} at row ${row}, which is no multiple of ${rowGroup}`, name);
  };
  let id = 0;
  const value = (width: number): Value => ({ id: id++, width });
  const same = (x: Value): Value => value(x.width);
  return {
    input: value,
    joinRows: (x, count) => value(x.width * count),
    averageRows: same,
    embed: (table) => value(table.k),
    embedPosition: same,
    embedConstant: same,
    norm: same,
    linear(x, weight) {
      expectWidth(x, weight.k);
      expectWhole(weight);
      return value(weight.n);
    },
    add(a, b) {
      expectWidth(b, a.width);
      return same(a);
    },
    scale: same,
    gated(gate, up) {
      if (gate.width !== 1) expectWidth(gate, up.width);
      return same(up);
    },
    activate: same,
    attention(q, k, v, { heads, keyHeads, headWidth, valueWidth }) {
      expectWidth(q, heads * headWidth);
      expectWidth(k, keyHeads * headWidth);
      expectWidth(v, keyHeads * valueWidth);
      for (const [width, field] of [
        [headWidth, "attention.key_length"],
        [valueWidth, "attention.value_length"],
      ] as const) {
        if (width % lanes !== 0) refuse(`has heads of ${width}, which is no multiple of ${lanes}`, field);
      }
      return value(heads * valueWidth);
    },
    experts(x, { router, count }) {
      expectWidth(x, router.k);
      if (count > mostExperts) refuse(`has ${count} experts, more than ${mostExperts}`, "expert_count");
      return same(x);
    },
    outputRows: same,
    meanRows: same,
    logits: (x, weight) => expectWidth(x, weight.k),
    hidden: () => undefined,
  };
}

function fail(problem: string): never {
  throw new RangeError(`the model ${problem}`);
}

/** Tensors were checked before: another width is a mistake of the forward pass, not of the file. */
function expectWidth({ width }: Value, expected: number): void {
  if (width !== expected) throw new RangeError(`a value has the width ${width}; expected ${expected}`);
}
