/** Steps that treat each element or row alike. */
import { activate } from "../../engines/flint/graph/reference-math.ts";
import type { Activation } from "../../engines/flint/graph/graph.ts";
import { exp } from "./exp.ts";
import type { EachPiece, NormPiece } from "./work.ts";

export function normRows({ x, y, width, part, norm, epsilon, weight, bias, first, count }: NormPiece): void {
  // Heads may share a weight, or have one each.
  const own = weight !== undefined && weight.length > part;
  for (let start = first * width; start < (first + count) * width; start += part) {
    let [sum, squares] = [0, 0];
    if (norm === "layer") for (let i = 0; i < part; i++) sum += x[start + i]!;
    const mean = sum / part;
    for (let i = 0; i < part; i++) squares += (x[start + i]! - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / part + epsilon);
    const place = own ? start % width : 0;
    for (let i = 0; i < part; i++) {
      const normed = (x[start + i]! - mean) * factor;
      y[start + i] = normed * (weight ? weight[place + i]! : 1) + (bias ? bias[place + i]! : 0);
    }
  }
}

export function eachElement({ apply, a, b, y, first, count }: EachPiece): void {
  const end = first + count;
  switch (apply.kind) {
    case "add":
      for (let i = first; i < end; i++) y[i] = a[i]! + b![i]!;
      return;
    case "scale":
      for (let i = first; i < end; i++) y[i] = a[i]! * apply.factor;
      return;
    case "activate":
      for (let i = first; i < end; i++) y[i] = activated(a[i]!, apply.activation);
      return;
    case "gated": {
      const { activation, narrow } = apply;
      for (let i = first; i < end; i++) {
        y[i] = activated(a[narrow === undefined ? i : Math.floor(i / narrow)]!, activation) * b![i]!;
      }
    }
  }
}

function activated(x: number, activation: Activation): number {
  // By far the most frequent one, and without a call it is compiled well.
  return activation === "silu" ? x / (1 + exp(-x)) : activate(x, activation);
}
