/**
 * Where the cache holds codes of 8 bits, what they are multiplied with is rounded to 16: queries, and weights times the
 * values' scales. Pairs of products then add up in integers, 32 dimensions or tokens together stay below 2^31, and the
 * error of that is far below the one of the codes.
 */
import { blockTokens, groupWidth, groupsOf } from "../../cache/layout.ts";
import type { AttendEmitter } from "./attention-queries.ts";
import type { Code, Local } from "./code.ts";
import { sequence } from "./code.ts";
import { halfScale, widenHalf } from "./half.ts";
import { f32, f32x4, i16x8, i32, i32x4, v128 } from "./instructions.ts";
import { acrossLanes, at, combinePairs, moveTo, pairBytes, pairFloats } from "./lanes.ts";

const mostCode = 32_767;

/** Writes the query at `params.q` into its record: codes, and for each group what one of them is worth. */
export function codeQuery({ shape, record, scope, params, at: pointer }: AttendEmitter): Code {
  const { whole, rest } = groupsOf(shape.headWidth);
  const widths = [...Array.from({ length: whole }, () => groupWidth), ...(rest > 0 ? [rest] : [])];
  const numbers = scope.locals("v128", groupWidth / 4);
  const [most, inverse, codes] = scope.locals("v128", 3) as [Local, Local, Local];
  const worth = (shape.scale * halfScale) / (mostCode * 127 * (shape.softCap ?? 1));
  const rounded = (number: Local): Code => i32x4.truncSat(f32x4.nearest(f32x4.mul(number.get, inverse.get)));
  const group = (width: number, index: number): Code => {
    const used = numbers.slice(0, width / 4);
    const start = index * groupWidth;
    return sequence(
      ...used.map((number, i) => number.set(v128.load(params.q.get, start * 4 + i * 16))),
      most.set(used.map((number) => f32x4.abs(number.get)).reduce((a, b) => f32x4.pmax(a, b))),
      most.set(acrossLanes(most, f32x4.pmax)),
      f32.store(pointer.get, f32.mul(f32x4.extract(most.get, 0), f32.const(worth)), record.queryScales + index * 4),
      inverse.set(f32x4.div(f32x4.splat(f32.const(mostCode)), most.get)),
      ...used.map((number, i) =>
        sequence(
          codes.set(i16x8.narrow32s(rounded(number), rounded(number))),
          v128.store64lane(pointer.get, codes.get, 0, record.query + start * 2 + i * 8),
        ),
      ),
    );
  };
  return sequence(...widths.map(group));
}

const pairs = blockTokens / pairFloats;

/**
 * Writes the weights of the block, times the scales of a group of its values, as 16-bit codes: relative to the largest one,
 * two tokens side by side as the values are. `at` points to the first of so many queries, `from` to the scales.
 */
export function codeWeights(emitter: AttendEmitter, queries: number, from: Local): Code {
  const { record, scope, constants, at: pointer } = emitter;
  const scales = Array.from({ length: pairs }, () => scope.locals("v128", 2));
  const weights = Array.from({ length: pairs }, () => scope.locals("v128", 2));
  const place = scope.local("i32");
  const most = scope.local("f32");
  const inverse = scope.local("v128");
  const each = (vectors: readonly Local[][], body: (vector: Local, pair: number, half: number) => Code): Code[] =>
    vectors.flatMap((pair, p) => pair.map((vector, h) => body(vector, p, h)));
  // Added to so large a number, what is left in the lower bits is the rounded integer.
  const rounded = (p: number, h: number): Code =>
    f32x4.relaxedMadd(at(at(weights, p), h).get, inverse.get, constants("expRound"));
  const one = (base: number): Code =>
    sequence(
      ...each(weights, (weight, p, h) => {
        const scores = v128.load(pointer.get, base + record.scores + p * pairBytes + h * 16);
        return weight.set(f32x4.mul(scores, at(at(scales, p), h).get));
      }),
      most.set(
        combinePairs(weights, i32.add(pointer.get, i32.const(base + record.scratch)), { scope, combine: f32x4.pmax }),
      ),
      f32.store(pointer.get, f32.mul(most.get, f32.const(1 / (mostCode * 127))), base + record.codeScale),
      inverse.set(f32x4.splat(f32.div(f32.const(mostCode), most.get))),
      ...each(weights.slice(0, pairs / 2), (_, p, h) => {
        const first = v128.and(rounded(p, h), constants("lowHalf"));
        const second = i32x4.shl(rounded(p + pairs / 2, h), i32.const(16));
        return v128.store(pointer.get, v128.or(first, second), base + record.codes + p * pairBytes + h * 16);
      }),
    );
  return sequence(
    ...each(scales, (scale, p, h) =>
      sequence(h === 0 ? moveTo(place, from, p * 16) : [], scale.set(widenHalf(constants, place.get, h * 8))),
    ),
    ...Array.from({ length: queries }, (_, q) => one(q * record.bytes)),
  );
}
