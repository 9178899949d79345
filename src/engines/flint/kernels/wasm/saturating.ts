/**
 * tanh and erf of four lanes: odd functions that reach ±1, as x·P(x²)/Q(x²) with coefficients fitted for the least
 * relative error over the range where they are below 1 (6e-9 and 2e-8; rounding adds up to 3e-7).
 */
import type { Code } from "./code.ts";
import type { ConstantName } from "./constants.ts";
import type { Vectors } from "./exp.ts";
import { f32x4 } from "./instructions.ts";

export function tanh(vectors: Vectors, x: Code): Code {
  return saturating(vectors, x, {
    range: ["tanhLow", "tanhHigh"],
    numerator: ["tanhP4", "tanhP3", "tanhP2", "tanhP1", "tanhP0"],
    denominator: ["tanhQ4", "tanhQ3", "tanhQ2", "tanhQ1", "one"],
  });
}

export function erf(vectors: Vectors, x: Code): Code {
  return saturating(vectors, x, {
    range: ["erfLow", "erfHigh"],
    numerator: ["erfP5", "erfP4", "erfP3", "erfP2", "erfP1", "erfP0"],
    denominator: ["erfQ5", "erfQ4", "erfQ3", "erfQ2", "erfQ1", "one"],
  });
}

interface Rational {
  readonly range: readonly [ConstantName, ConstantName];
  /** Highest power first. */
  readonly numerator: readonly ConstantName[];
  readonly denominator: readonly ConstantName[];
}

function saturating({ scope, constants }: Vectors, x: Code, { range, numerator, denominator }: Rational): Code {
  const value = scope.local("v128");
  const square = scope.local("v128");
  const polynomial = ([first, ...rest]: readonly ConstantName[]): Code =>
    rest.reduce((sum, name) => f32x4.relaxedMadd(sum, square.get, constants(name)), first ? constants(first) : []);
  const quotient = f32x4.div(f32x4.mul(value.get, polynomial(numerator)), polynomial(denominator));
  return [
    ...value.set(f32x4.pmin(f32x4.pmax(x, constants(range[0])), constants(range[1]))),
    ...square.set(f32x4.mul(value.get, value.get)),
    ...f32x4.pmin(f32x4.pmax(quotient, constants("minusOne")), constants("one")),
  ];
}
