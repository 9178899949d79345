/**
 * Scales and mins of K types are multiples of what their super-block has in common. The nearest multiple is not always the
 * best one: these kernels try its neighbours, with the codes that each of them would get.
 */
import type { Code, FunctionCode, Local, Scope } from "../code.ts";
import { func, loopWhile, sequence } from "../code.ts";
import { f32x4, i32, v128 } from "../instructions.ts";
import { arrange, clampRound, keepBetter, quadGroups, quadOf } from "./quad.ts";
import type { GroupSize, Quad, Weighing } from "./quad.ts";
import type { Rounding } from "./rounding.ts";
import { rounder, roundingName } from "./rounding.ts";

export interface RangeAdjust {
  readonly group: GroupSize;
  readonly weighing: Weighing;
  /** Largest code, and largest multiple. */
  readonly last: number;
  readonly most: number;
}

export interface ScaleAdjust {
  readonly group: GroupSize;
  readonly weighing: Weighing;
  readonly rounding: Rounding;
  /** Range of the multiples. */
  readonly least: number;
  readonly most: number;
}

export function rangeAdjustName({ group, weighing, last, most }: RangeAdjust): string {
  return `adjust-range-${last}x${group}-${most}-${weighing}`;
}

export function scaleAdjustName({ group, weighing, rounding, least, most }: ScaleAdjust): string {
  return `adjust-scale-${roundingName(rounding)}x${group}${least}to${most}-${weighing}`;
}

/**
 * (x, q, scales, mins, d, dmin, quads): for each group the multiples, which are changed, and what they are multiples of:
 * weight ≈ scale · d · code − min · dmin.
 */
export function adjustRange(adjust: RangeAdjust): FunctionCode {
  return func(rangeAdjustName(adjust), (scope) => {
    const { params, quads, loop } = begin(scope, 6);
    const [x, q, scales, mins, ds, dmins] = params as [Local, Local, Local, Local, Local, Local];
    const quad = quadOf(scope, adjust.group);
    const [scale, min, d, dmin, error, zero, last, better] = scope.locals("v128", 8) as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const tries = [0, 1].map(() => createTry(scope));
    const [one, two] = tries as [Try, Try];
    const set = ({ scale: s, min: m }: Try, byScale: number, byMin: number): Code =>
      sequence(s.set(moved(scale, byScale, 1, adjust.most)), m.set(moved(min, byMin, 0, adjust.most)));
    const run = (all: readonly Try[]): Code => evaluate(quad, all, { d, dmin, zero, last, scope });
    const keep = (one: Try): Code =>
      sequence(
        better.set(f32x4.lt(one.error.get, error.get)),
        keepBetter(better, [
          [scale, one.scale],
          [min, one.min],
          [error, one.error],
        ]),
      );
    const body = sequence(
      arrange(quad, adjust.weighing, { x, q }),
      scale.set(v128.load(scales.get)),
      min.set(v128.load(mins.get)),
      d.set(v128.load(ds.get)),
      dmin.set(v128.load(dmins.get)),
      one.scale.set(scale.get),
      one.min.set(min.get),
      run([one]),
      error.set(one.error.get),
      ...(
        [
          [0, 1],
          [1, 0],
        ] as const
      ).map(([byScale, byMin]) =>
        sequence(set(one, -byScale, -byMin), set(two, byScale, byMin), run([one, two]), keep(one), keep(two)),
      ),
      v128.store(scales.get, scale.get),
      v128.store(mins.get, min.get),
    );
    return sequence(zero.set(v128.constF32(0)), last.set(v128.constF32(adjust.last)), loop(body, adjust.group, quads));
  });
}

/** (x, q, scales, d, quads): the same for a scale alone: weight ≈ scale · d · value. */
export function adjustScale(adjust: ScaleAdjust): FunctionCode {
  return func(scaleAdjustName(adjust), (scope) => {
    const { params, quads, loop } = begin(scope, 4);
    const [x, q, scales, ds] = params as [Local, Local, Local, Local];
    const quad = quadOf(scope, adjust.group);
    const [scale, d, error, better, value, difference, found, inverse] = scope.locals("v128", 8) as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const [other, step] = scope.locals("v128", 2) as [Local, Local];
    const { constants, exact } = rounder(scope, adjust.rounding);
    const run = (chosen: Local): Code =>
      sequence(
        step.set(f32x4.mul(chosen.get, d.get)),
        inverse.set(f32x4.div(v128.constF32(1), step.get)),
        found.set(v128.constF32(0)),
        quad.each((weight, count) =>
          sequence(
            value.set(weight),
            difference.set(exact(f32x4.mul(value.get, inverse.get))),
            difference.set(f32x4.sub(f32x4.mul(difference.get, step.get), value.get)),
            found.set(f32x4.relaxedMadd(f32x4.mul(difference.get, difference.get), count, found.get)),
          ),
        ),
      );
    const attempt = (by: number): Code =>
      sequence(
        other.set(moved(scale, by, adjust.least, adjust.most)),
        run(other),
        better.set(f32x4.lt(found.get, error.get)),
        keepBetter(better, [
          [error, found],
          [scale, other],
        ]),
      );
    const body = sequence(
      arrange(quad, adjust.weighing, { x, q }),
      scale.set(v128.load(scales.get)),
      d.set(v128.load(ds.get)),
      run(scale),
      error.set(found.get),
      attempt(1),
      attempt(-1),
      v128.store(scales.get, scale.get),
    );
    return sequence(constants, loop(body, adjust.group, quads));
  });
}

/** Parameters: weights, importance, arrays with an element for each group, and the number of quads. */
function begin(scope: Scope, count: number) {
  const params = Array.from({ length: count }, () => scope.param("i32"));
  const quads = scope.param("i32");
  const loop = (body: Code, group: GroupSize, turns: Local): Code => {
    const next = params.map((pointer, index) =>
      pointer.set(i32.add(pointer.get, i32.const((index < 2 ? group : 1) * quadGroups * 4))),
    );
    return loopWhile(sequence(body, ...next), turns.tee(i32.sub(turns.get, i32.const(1))));
  };
  return { params, quads, loop };
}

/** A neighbour that is a multiple too. */
function moved(value: Local, by: number, least: number, most: number): Code {
  return f32x4.pmin(f32x4.pmax(f32x4.add(value.get, v128.constF32(by)), v128.constF32(least)), v128.constF32(most));
}

interface Try {
  readonly scale: Local;
  readonly min: Local;
  readonly step: Local;
  readonly shift: Local;
  readonly inverse: Local;
  readonly offset: Local;
  readonly error: Local;
}

function createTry(scope: Scope): Try {
  const vector = (): Local => scope.local("v128");
  return {
    scale: vector(),
    min: vector(),
    step: vector(),
    shift: vector(),
    inverse: vector(),
    offset: vector(),
    error: vector(),
  };
}

interface Common {
  readonly scope: Scope;
  readonly d: Local;
  readonly dmin: Local;
  readonly zero: Local;
  readonly last: Local;
}

/** The weighted squared error of each. A scale of 0 gives no number, which is never the least. */
function evaluate(quad: Quad, tries: readonly Try[], { scope, d, dmin, zero, last }: Common): Code {
  const [value, difference] = scope.locals("v128", 2) as [Local, Local];
  return sequence(
    ...tries.map(({ scale, min, step, shift, inverse, offset, error }) =>
      sequence(
        step.set(f32x4.mul(scale.get, d.get)),
        shift.set(f32x4.mul(min.get, dmin.get)),
        inverse.set(f32x4.div(v128.constF32(1), step.get)),
        offset.set(f32x4.mul(shift.get, inverse.get)),
        error.set(zero.get),
      ),
    ),
    quad.each((weight, count) =>
      sequence(
        value.set(weight),
        ...tries.map(({ step, shift, inverse, offset, error }) =>
          sequence(
            difference.set(clampRound(f32x4.relaxedMadd(value.get, inverse.get, offset.get), zero, last)),
            difference.set(f32x4.sub(f32x4.relaxedMadd(difference.get, step.get, f32x4.neg(shift.get)), value.get)),
            error.set(f32x4.relaxedMadd(f32x4.mul(difference.get, difference.get), count, error.get)),
          ),
        ),
      ),
    ),
  );
}
