/** Numbers of 16 bits to float32 and back, for runs of any length. */
import type { Code, FunctionCode, Local, Scope } from "../code.ts";
import { func, loopWhile, sequence } from "../code.ts";
import { constantsOf } from "../constants.ts";
import { toHalf, widenHalf } from "../half.ts";
import { f32x4, i16x8, i32, i32x4, v128 } from "../instructions.ts";

/** (source, target, quads): four numbers at a time. f16 to float32; infinity and NaN become numbers from 65536 up. */
export function widenHalves(): FunctionCode {
  return func("widen-halves", (scope) => {
    const { source, target, quads } = params(scope);
    const constants = constantsOf(scope);
    const wide = f32x4.mul(widenHalf(constants, source.get), constants("halfScale"));
    const body = sequence(v128.store(target.get, wide), next(source, 8), next(target, 16));
    return sequence(constants.load(), loopWhile(body, lessOne(quads)));
  });
}

/** The same for bfloat16, the upper half of a float32. */
export function widenBrains(): FunctionCode {
  return func("widen-brains", (scope) => {
    const { source, target, quads } = params(scope);
    const wide = i32x4.shl(v128.load16x4u(source.get), i32.const(16));
    return loopWhile(sequence(v128.store(target.get, wide), next(source, 8), next(target, 16)), lessOne(quads));
  });
}

/** float32 to the nearest f16. */
export function narrowHalves(): FunctionCode {
  return func("narrow-halves", (scope) => {
    const { source, target, quads } = params(scope);
    const constants = constantsOf(scope);
    const narrow = scope.local("v128");
    const body = sequence(
      narrow.set(toHalf({ scope, constants }, v128.load(source.get))),
      v128.store64lane(target.get, i16x8.narrow32u(narrow.get, narrow.get), 0),
      next(source, 16),
      next(target, 8),
    );
    return sequence(constants.load(), loopWhile(body, lessOne(quads)));
  });
}

/** (x, out, quads, limit: f32): at `out` four words, not all 0 where a number is not below the limit in magnitude, or none at all. */
export function findBeyond(): FunctionCode {
  return func("find-beyond", (scope) => {
    const { source, target, quads } = params(scope);
    const limit = scope.param("f32");
    const [most, found] = scope.locals("v128", 2) as [Local, Local];
    const beyond = v128.not(f32x4.lt(f32x4.abs(v128.load(source.get)), most.get));
    return sequence(
      most.set(f32x4.splat(limit.get)),
      found.set(v128.const32(0)),
      loopWhile(sequence(found.set(v128.or(found.get, beyond)), next(source, 16)), lessOne(quads)),
      v128.store(target.get, found.get),
    );
  });
}

interface Params {
  readonly source: Local;
  readonly target: Local;
  readonly quads: Local;
}

function params(scope: Scope): Params {
  return { source: scope.param("i32"), target: scope.param("i32"), quads: scope.param("i32") };
}

const next = (pointer: Local, bytes: number): Code => pointer.set(i32.add(pointer.get, i32.const(bytes)));
const lessOne = (count: Local): Code => count.tee(i32.sub(count.get, i32.const(1)));
