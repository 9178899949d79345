/** Activation functions. Errors are given against float64, for any input that is finite. */
import type { Activation } from "../../graph/graph.ts";
import type { Code, FunctionCode, Scope } from "./code.ts";
import { mapping } from "./elementwise.ts";
import type { Vectors } from "./exp.ts";
import { exp } from "./exp.ts";
import { f32x4, v128 } from "./instructions.ts";
import { erf, tanh } from "./saturating.ts";

/** `activate-<kind>`(x, y, count): y = activation(x) of `count` floats. The output may be the input. */
export function activate(kind: Activation): FunctionCode {
  return mapping(`activate-${kind}`, 1, (vectors, [x = []]) => apply(kind, vectors, x));
}

/** `gated-<kind>`(gate, up, y, count): y = activation(gate) · up. The output may be an input. */
export function gated(kind: Activation): FunctionCode {
  return mapping(`gated-${kind}`, 2, (vectors, [gate = [], up = []]) => f32x4.mul(apply(kind, vectors, gate), up));
}

/** `x` is read several times: a variable. */
function apply(kind: Activation, vectors: Vectors, x: Code): Code {
  const { constants } = vectors;
  switch (kind) {
    case "silu":
      return f32x4.div(x, f32x4.add(exp(vectors, f32x4.neg(x)), constants("one")));
    case "sigmoid":
      return f32x4.div(constants("one"), f32x4.add(exp(vectors, f32x4.neg(x)), constants("one")));
    case "tanh":
      return tanh(vectors, x);
    case "gelu":
      return gelu(vectors, x);
    case "gelu-tanh":
      return f32x4.div(x, f32x4.add(exp(vectors, geluExponent(vectors, x)), constants("one")));
    case "gelu-quick":
      return f32x4.div(x, f32x4.add(exp(vectors, f32x4.mul(x, constants("geluQuick"))), constants("one")));
    case "relu":
      return positive(x);
    case "relu-squared":
      return squared(vectors.scope, positive(x));
  }
}

/** x/2 · (1 + erf(x / √2)) */
function gelu(vectors: Vectors, x: Code): Code {
  const { constants } = vectors;
  const part = f32x4.add(erf(vectors, f32x4.mul(x, constants("rootHalf"))), constants("one"));
  return f32x4.mul(f32x4.mul(x, constants("half")), part);
}

/** x/2 · (1 + tanh(u)) = x / (1 + e^-2u), u = √(2/π) · (x + 0.044715 x³): here -2u. */
function geluExponent({ constants }: Vectors, x: Code): Code {
  const factor = f32x4.relaxedMadd(f32x4.mul(x, x), constants("geluCubic"), constants("geluLinear"));
  return f32x4.mul(x, factor);
}

/** In this order a NaN passes. */
function positive(x: Code): Code {
  return f32x4.pmax(x, v128.const32(0));
}

function squared(scope: Scope, x: Code): Code {
  const value = scope.local("v128");
  return [...value.set(x), ...f32x4.mul(value.get, value.get)];
}
