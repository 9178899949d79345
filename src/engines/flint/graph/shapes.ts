import type { Graph, Value } from "./graph.ts";

/** A graph that computes nothing and only keeps account of widths: to run a forward pass for its look-ups of tensors. */
export function createShapes(): Graph {
  let id = 0;
  const value = (width: number): Value => ({ id: id++, width });
  const same = (x: Value): Value => value(x.width);
  return {
    embed: (table) => value(table.k),
    embedPosition: same,
    embedConstant: same,
    norm: same,
    linear(x, weight) {
      expectWidth(x, weight.k);
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
      return value(heads * valueWidth);
    },
    experts(x, { router }) {
      expectWidth(x, router.k);
      return same(x);
    },
    outputRows: same,
    meanRows: same,
    logits: (x, weight) => expectWidth(x, weight.k),
    hidden: () => undefined,
  };
}

/** Tensors were checked before: another width is a mistake of the forward pass, not of the file. */
function expectWidth({ width }: Value, expected: number): void {
  if (width !== expected) throw new RangeError(`a value has the width ${width}; expected ${expected}`);
}
