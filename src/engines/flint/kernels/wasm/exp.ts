/**
 * e^x of four lanes: x = n·ln 2 + r, a polynomial of degree 5 in r (fitted for the least relative error, 1.1e-7), and
 * 2^n made from its exponent bits. Within 2.3 units in the last place from -86.9 to 88.7; below that 0, above it infinity.
 */
import type { Code, Scope } from "./code.ts";
import type { Constants } from "./constants.ts";
import { f32x4, i32, i32x4 } from "./instructions.ts";

export interface Vectors {
  readonly scope: Scope;
  readonly constants: Constants;
}

export function exp(vectors: Vectors, x: Code): Code {
  const { constants } = vectors;
  // In this order a NaN passes.
  const bounded = f32x4.pmin(f32x4.pmax(x, constants("expLow")), constants("expHigh"));
  return scaledExp(vectors, bounded, constants("expBias"));
}

/** 2^96 · e^x for x <= 0; not less than 2^96 · e^-87.4. The weights of attention: see `attention.ts`. */
export function expWeight(vectors: Vectors, x: Code): Code {
  const { constants } = vectors;
  return scaledExp(vectors, f32x4.pmax(x, constants("expLow")), constants("expWeightBias"));
}

/** The polynomial gives 2·e^r, so that n = 128 has an exponent. */
function scaledExp({ scope, constants }: Vectors, x: Code, bias: Code): Code {
  const shifted = scope.local("v128");
  const value = scope.local("v128");
  const n = scope.local("v128");
  const low = f32x4.relaxedMadd(constants("exp5"), value.get, constants("exp4"));
  const polynomial = (["exp3", "exp2", "exp0", "exp0"] as const).reduce(
    (sum, name) => f32x4.relaxedMadd(sum, value.get, constants(name)),
    low,
  );
  return [
    ...value.set(x),
    // The sum's last bits are n, rounded.
    ...shifted.set(f32x4.relaxedMadd(value.get, constants("expInverse"), constants("expRound"))),
    ...n.set(f32x4.sub(shifted.get, constants("expRound"))),
    ...value.set(f32x4.relaxedNmadd(n.get, constants("expUpper"), value.get)),
    ...value.set(f32x4.relaxedNmadd(n.get, constants("expLower"), value.get)),
    ...f32x4.mul(polynomial, i32x4.add(i32x4.shl(shifted.get, i32.const(23)), bias)),
  ];
}
