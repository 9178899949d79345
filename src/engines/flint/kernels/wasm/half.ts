/** float32 ↔ f16 (IEEE 754 binary16), four lanes. */
import type { Code } from "./code.ts";
import type { Constants } from "./constants.ts";
import type { Vectors } from "./exp.ts";
import { f32x4, i32, i32x4, v128 } from "./instructions.ts";

/** What `widenHalf` gives is so many times too small. */
export const halfScale: number = 2 ** 112;

/**
 * Four f16 as float32, times 2^-112: sign and exponent are moved to where a float32 has them. Infinity and NaN come out
 * as numbers from 65536 up.
 */
export function widenHalf(constants: Constants, address: Code, offset = 0): Code {
  return v128.and(i32x4.shl(v128.load16x4s(address, offset), i32.const(13)), constants("halfSign"));
}

/**
 * Four float32 rounded to the nearest f16 (ties to even), each in the lower half of a lane. A number is added that is so
 * large that the sum's mantissa ends where that of the f16 does; exponent and mantissa of the sum are then put together.
 * From 65520 up the result is infinity, below 2^-24 subnormal or 0; NaN stays NaN.
 */
export function toHalf({ scope, constants }: Vectors, x: Code): Code {
  const value = scope.local("v128");
  const sum = scope.local("v128");
  const exponent = v128.and(i32x4.shl(value.get, i32.const(1)), constants("halfExponent"));
  const large = i32x4.add(
    i32x4.shrU(i32x4.maxU(exponent, constants("halfLeast")), i32.const(1)),
    constants("halfBias"),
  );
  // Times 2^112 what is too large becomes infinity; times 2^-110 the rest is 4 times what it was.
  const magnitude = f32x4.mul(f32x4.mul(f32x4.abs(value.get), constants("halfScale")), constants("halfDown"));
  const bits = i32x4.add(
    v128.and(i32x4.shrU(sum.get, i32.const(13)), constants("halfExponentBits")),
    v128.and(sum.get, constants("halfMantissaBits")),
  );
  const sign = v128.and(i32x4.shrU(value.get, i32.const(16)), constants("halfSignBit"));
  return [
    ...value.set(x),
    ...sum.set(f32x4.add(large, magnitude)),
    ...v128.or(sign, v128.bitselect(constants("halfNaN"), bits, f32x4.ne(value.get, value.get))),
  ];
}
