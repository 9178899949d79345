/** Finds a scale and a min for groups of weights: weight ≈ scale · code + min, codes from 0 to `last`. */
import type { Code, FunctionCode, Local, Scope } from "../code.ts";
import { func, loopWhile, sequence } from "../code.ts";
import { f32x4, i32, v128 } from "../instructions.ts";
import { arrange, clampRound, keepBetter, quadGroups, quadOf } from "./quad.ts";
import type { GroupSize, Quad, Weighing } from "./quad.ts";

export interface RangeFit {
  readonly group: GroupSize;
  readonly last: number;
  /** A min above 0 is allowed. */
  readonly signed: boolean;
  readonly weighing: Weighing;
  /** Pairs of spacings that are tried: the range of the group is divided by `last + first + i · step`. */
  readonly pairs: number;
  readonly first: number;
  readonly step: number;
  /** Rounds of choosing the codes anew for the best line, and the line for those codes. */
  readonly rounds: number;
}

export function rangeName({ group, last, signed, weighing }: RangeFit): string {
  return `fit-range-${last}x${group}${signed ? "-signed" : ""}-${weighing}`;
}

/**
 * (x, q, scales, mins, quads): groups that follow each other, as many as `quads` times four; q: the importance of every
 * weight, or anything where the fit does not ask. Weighted least squares for the codes of each spacing, and the spacing
 * whose line has the least error.
 */
export function fitRange(fit: RangeFit): FunctionCode {
  return func(rangeName(fit), (scope) => {
    const [x, q, scales, mins, quads] = [0, 1, 2, 3, 4].map(() => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const quad = quadOf(scope, fit.group);
    const search = new Search(scope, quad, fit);
    const next = (pointer: Local, bytes: number): Code => pointer.set(i32.add(pointer.get, i32.const(bytes)));
    return sequence(
      search.constants(),
      loopWhile(
        sequence(
          arrange(quad, fit.weighing, { x, q }),
          search.run(),
          v128.store(scales.get, search.scale.get),
          v128.store(mins.get, search.min.get),
          next(x, fit.group * quadGroups * 4),
          next(q, fit.group * quadGroups * 4),
          next(scales, quadGroups * 4),
          next(mins, quadGroups * 4),
        ),
        quads.tee(i32.sub(quads.get, i32.const(1))),
      ),
    );
  });
}

/** Sums over a group for one choice of codes: codes, their squares, codes times weights, all by what they count. */
interface Sums {
  readonly codes: Local;
  readonly squares: Local;
  readonly products: Local;
}

/** Codes are round(x · inverse + offset). */
interface Spacing {
  readonly inverse: Local;
  readonly offset: Local;
  readonly sums: Sums;
}

class Search {
  readonly scale: Local;
  readonly min: Local;
  readonly #error: Local;
  readonly #fit: RangeFit;
  readonly #quad: Quad;
  readonly #zero: Local;
  readonly #last: Local;
  readonly #low: Local;
  readonly #range: Local;
  /** Sums that all choices of codes have in common: counts, weights. */
  readonly #counts: Local;
  readonly #weights: Local;
  readonly #spacings: readonly [Spacing, Spacing];
  readonly #found: { readonly scale: Local; readonly min: Local; readonly error: Local; readonly better: Local };
  readonly #parts: Local;
  readonly #turns: Local;
  readonly #value: Local;
  readonly #count: Local;
  readonly #code: Local;
  readonly #weighted: Local;

  constructor(scope: Scope, quad: Quad, fit: RangeFit) {
    const vector = (): Local => scope.local("v128");
    const spacing = (): Spacing => ({
      inverse: vector(),
      offset: vector(),
      sums: { codes: vector(), squares: vector(), products: vector() },
    });
    this.#fit = fit;
    this.#quad = quad;
    this.scale = vector();
    this.min = vector();
    this.#error = vector();
    this.#zero = vector();
    this.#last = vector();
    this.#low = vector();
    this.#range = vector();
    this.#counts = vector();
    this.#weights = vector();
    this.#spacings = [spacing(), spacing()];
    this.#found = { scale: vector(), min: vector(), error: vector(), better: vector() };
    this.#parts = vector();
    this.#turns = scope.local("i32");
    this.#value = vector();
    this.#count = vector();
    this.#code = vector();
    this.#weighted = vector();
  }

  constants(): Code {
    return sequence(this.#zero.set(v128.constF32(0)), this.#last.set(v128.constF32(this.#fit.last)));
  }

  run(): Code {
    const { first, step, pairs, last, rounds } = this.#fit;
    const [one, two] = this.#spacings;
    const delta = (times: number): Code => this.#parts.set(f32x4.add(this.#parts.get, v128.constF32(step * times)));
    const spread = ({ inverse, offset }: Spacing, parts: Code): Code =>
      sequence(
        inverse.set(f32x4.div(parts, this.#range.get)),
        offset.set(f32x4.neg(f32x4.mul(this.#low.get, inverse.get))),
      );
    return sequence(
      this.#measure(),
      this.#start(spread),
      this.#parts.set(v128.constF32(last + first)),
      this.#turns.set(i32.const(pairs)),
      loopWhile(
        sequence(
          spread(one, this.#parts.get),
          delta(1),
          spread(two, this.#parts.get),
          delta(1),
          this.#sum([one, two]),
          this.#consider(one.sums),
          this.#consider(two.sums),
        ),
        this.#turns.tee(i32.sub(this.#turns.get, i32.const(1))),
      ),
      ...Array.from({ length: rounds }, () =>
        sequence(
          one.inverse.set(f32x4.div(v128.constF32(1), this.scale.get)),
          one.offset.set(f32x4.neg(f32x4.mul(this.min.get, one.inverse.get))),
          this.#sum([one]),
          this.#consider(one.sums),
        ),
      ),
    );
  }

  /** The range of the group, and the sums of what does not depend on codes. */
  #measure(): Code {
    const high = this.#range;
    const { signed } = this.#fit;
    return sequence(
      this.#low.set(v128.constF32(signed ? Infinity : 0)),
      high.set(v128.constF32(-Infinity)),
      this.#counts.set(this.#zero.get),
      this.#weights.set(this.#zero.get),
      this.#quad.each((value, count) =>
        sequence(
          this.#value.set(value),
          this.#count.set(count),
          this.#low.set(f32x4.pmin(this.#low.get, this.#value.get)),
          high.set(f32x4.pmax(high.get, this.#value.get)),
          this.#counts.set(f32x4.add(this.#counts.get, this.#count.get)),
          this.#weights.set(f32x4.relaxedMadd(this.#count.get, this.#value.get, this.#weights.get)),
        ),
      ),
      // Where all weights are the same no code is larger than 0.
      this.#range.set(f32x4.pmax(f32x4.sub(high.get, this.#low.get), v128.constF32(1e-30))),
    );
  }

  /** The line from the lowest weight to the highest is always there, however little most weights count. */
  #start(spread: (spacing: Spacing, parts: Code) => Code): Code {
    const [one] = this.#spacings;
    const { scale, min, error } = this.#found;
    return sequence(
      spread(one, this.#last.get),
      this.#sum([one]),
      scale.set(f32x4.div(this.#range.get, this.#last.get)),
      min.set(this.#low.get),
      this.#findError(one.sums),
      this.scale.set(scale.get),
      this.min.set(min.get),
      this.#error.set(error.get),
      this.#consider(one.sums),
    );
  }

  #sum(spacings: readonly Spacing[]): Code {
    const each = ({ inverse, offset, sums }: Spacing): Code =>
      sequence(
        this.#code.set(clampRound(f32x4.relaxedMadd(this.#value.get, inverse.get, offset.get), this.#zero, this.#last)),
        this.#weighted.set(f32x4.mul(this.#code.get, this.#count.get)),
        sums.codes.set(f32x4.add(sums.codes.get, this.#weighted.get)),
        sums.squares.set(f32x4.relaxedMadd(this.#weighted.get, this.#code.get, sums.squares.get)),
        sums.products.set(f32x4.relaxedMadd(this.#weighted.get, this.#value.get, sums.products.get)),
      );
    const all = spacings.flatMap(({ sums }) => [sums.codes, sums.squares, sums.products]);
    return sequence(
      ...all.map((sum) => sum.set(this.#zero.get)),
      this.#quad.each((value, count) =>
        sequence(this.#value.set(value), this.#count.set(count), ...spacings.map(each)),
      ),
    );
  }

  /** The best line for the codes whose sums these are, if it is better than what is known. */
  #consider({ codes, squares, products }: Sums): Code {
    const { scale, min, error, better } = this.#found;
    const { mul, sub, div } = f32x4;
    const determinant = this.#code;
    const positive = this.#weighted;
    const total = mul(this.#counts.get, squares.get);
    return sequence(
      determinant.set(sub(total, mul(codes.get, codes.get))),
      scale.set(div(sub(mul(this.#counts.get, products.get), mul(this.#weights.get, codes.get)), determinant.get)),
      min.set(div(sub(mul(squares.get, this.#weights.get), mul(codes.get, products.get)), determinant.get)),
      this.#fit.signed
        ? []
        : sequence(
            positive.set(f32x4.gt(min.get, this.#zero.get)),
            min.set(v128.andnot(min.get, positive.get)),
            scale.set(v128.bitselect(div(products.get, squares.get), scale.get, positive.get)),
          ),
      this.#findError({ codes, squares, products }),
      // A determinant that is nothing but rounding says nothing.
      better.set(
        v128.and(f32x4.lt(error.get, this.#error.get), f32x4.gt(determinant.get, mul(total, v128.constF32(1e-5)))),
      ),
      keepBetter(better, [
        [this.scale, scale],
        [this.min, min],
        [this.#error, error],
      ]),
    );
  }

  /** The weighted squared error, less the sum of the weighted squares, which all lines have in common. */
  #findError({ codes, squares, products }: Sums): Code {
    const { scale, min, error } = this.#found;
    const { mul, sub, add } = f32x4;
    const twice = (value: Code): Code => mul(value, v128.constF32(2));
    const byScale = add(mul(scale.get, squares.get), twice(sub(mul(min.get, codes.get), products.get)));
    const byMin = sub(mul(min.get, this.#counts.get), twice(this.#weights.get));
    return error.set(add(mul(scale.get, byScale), mul(min.get, byMin)));
  }
}
