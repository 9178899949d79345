/** Finds a scale for groups of weights: weight ≈ scale · value, the values being those that codes have. */
import type { Code, FunctionCode, Local, Scope } from "../code.ts";
import { func, loopWhile, sequence } from "../code.ts";
import { f32x4, i32, v128 } from "../instructions.ts";
import { arrange, keepBetter, quadGroups, quadOf } from "./quad.ts";
import type { GroupSize, Quad, Weighing } from "./quad.ts";
import type { Rounding } from "./rounding.ts";
import { roundingName, rounder } from "./rounding.ts";

/** Scales for which the weight of the greatest magnitude has the value `first + i · step`, two for each of `pairs`. */
export interface Tries {
  readonly first: number;
  readonly step: number;
  readonly pairs: number;
}

export interface ScaleFit {
  readonly group: GroupSize;
  readonly weighing: Weighing;
  readonly rounding: Rounding;
  /** None: `extreme` says it. */
  readonly tries: readonly Tries[];
  /** The value that the weight of the greatest magnitude gets, where nothing is searched. */
  readonly extreme?: number;
  /** Rounds of choosing the codes anew for the best scale, and the scale for those codes. */
  readonly rounds: number;
}

export function scaleName({ group, weighing, rounding, extreme }: ScaleFit): string {
  return `fit-scale-${roundingName(rounding)}x${group}-${weighing}${extreme === undefined ? "" : "-fixed"}`;
}

/** (x, q, scales, quads): as `fitRange`. The scale may have either sign. */
export function fitScale(fit: ScaleFit): FunctionCode {
  return func(scaleName(fit), (scope) => {
    const [x, q, scales, quads] = [0, 1, 2, 3].map(() => scope.param("i32")) as [Local, Local, Local, Local];
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
          next(x, fit.group * quadGroups * 4),
          next(q, fit.group * quadGroups * 4),
          next(scales, quadGroups * 4),
        ),
        quads.tee(i32.sub(quads.get, i32.const(1))),
      ),
    );
  });
}

/** Values are those nearest to x · inverse; sums of their squares, and of values times weights. */
interface Spacing {
  readonly inverse: Local;
  readonly squares: Local;
  readonly products: Local;
}

class Search {
  readonly scale: Local;
  readonly #fit: ScaleFit;
  readonly #quad: Quad;
  readonly #round: ReturnType<typeof rounder>;
  readonly #gain: Local;
  readonly #extreme: Local;
  readonly #spacings: readonly [Spacing, Spacing];
  readonly #found: { readonly scale: Local; readonly gain: Local; readonly better: Local };
  readonly #parts: Local;
  readonly #turns: Local;
  readonly #value: Local;
  readonly #count: Local;
  readonly #weighted: Local;

  constructor(scope: Scope, quad: Quad, fit: ScaleFit) {
    const vector = (): Local => scope.local("v128");
    const spacing = (): Spacing => ({ inverse: vector(), squares: vector(), products: vector() });
    this.#fit = fit;
    this.#quad = quad;
    this.#round = rounder(scope, fit.rounding);
    this.scale = vector();
    this.#gain = vector();
    this.#extreme = vector();
    this.#spacings = [spacing(), spacing()];
    this.#found = { scale: vector(), gain: vector(), better: vector() };
    this.#parts = vector();
    this.#turns = scope.local("i32");
    this.#value = vector();
    this.#count = vector();
    this.#weighted = vector();
  }

  constants(): Code {
    return this.#round.constants;
  }

  run(): Code {
    const [one] = this.#spacings;
    const { extreme } = this.#fit;
    if (extreme !== undefined) {
      return sequence(this.#findExtreme(), this.scale.set(f32x4.mul(this.#extreme.get, v128.constF32(1 / extreme))));
    }
    return sequence(
      this.#findExtreme(),
      // Nothing is better than no scale where all weights are 0.
      ...[this.scale, this.#gain].map((best) => best.set(v128.constF32(0))),
      ...this.#fit.tries.map((tries) => this.#try(tries)),
      ...Array.from({ length: this.#fit.rounds }, () =>
        sequence(
          one.inverse.set(f32x4.div(v128.constF32(1), this.scale.get)),
          this.#sum([one], this.#round.exact),
          this.#consider(one),
        ),
      ),
    );
  }

  /** The weight of the greatest magnitude, with its sign. */
  #findExtreme(): Code {
    const low = this.#parts;
    const high = this.#extreme;
    return sequence(
      low.set(v128.constF32(0)),
      high.set(v128.constF32(0)),
      this.#quad.each((value) =>
        sequence(
          this.#value.set(value),
          low.set(f32x4.pmin(low.get, this.#value.get)),
          high.set(f32x4.pmax(high.get, this.#value.get)),
        ),
      ),
      high.set(v128.bitselect(low.get, high.get, f32x4.gt(f32x4.neg(low.get), high.get))),
    );
  }

  #try({ first, step, pairs }: Tries): Code {
    const [one, two] = this.#spacings;
    const spread = ({ inverse }: Spacing): Code =>
      sequence(
        inverse.set(f32x4.div(this.#parts.get, this.#extreme.get)),
        this.#parts.set(f32x4.add(this.#parts.get, v128.constF32(step))),
      );
    return sequence(
      this.#parts.set(v128.constF32(first)),
      this.#turns.set(i32.const(pairs)),
      loopWhile(
        sequence(spread(one), spread(two), this.#sum([one, two]), this.#consider(one), this.#consider(two)),
        this.#turns.tee(i32.sub(this.#turns.get, i32.const(1))),
      ),
    );
  }

  #sum(spacings: readonly Spacing[], nearest = this.#round.nearest): Code {
    const each = ({ inverse, squares, products }: Spacing): Code =>
      sequence(
        this.#weighted.set(nearest(f32x4.mul(this.#value.get, inverse.get))),
        // Value times count, then times value and weight.
        products.set(f32x4.relaxedMadd(f32x4.mul(this.#weighted.get, this.#count.get), this.#value.get, products.get)),
        squares.set(f32x4.relaxedMadd(f32x4.mul(this.#weighted.get, this.#count.get), this.#weighted.get, squares.get)),
      );
    return sequence(
      ...spacings.flatMap(({ squares, products }) => [squares.set(v128.constF32(0)), products.set(v128.constF32(0))]),
      this.#quad.each((value, count) =>
        sequence(this.#value.set(value), this.#count.set(count), ...spacings.map(each)),
      ),
    );
  }

  /** With the best scale for its values a spacing lowers the error by products² / squares. */
  #consider({ squares, products }: Spacing): Code {
    const { scale, gain, better } = this.#found;
    return sequence(
      scale.set(f32x4.div(products.get, squares.get)),
      gain.set(f32x4.mul(products.get, scale.get)),
      better.set(f32x4.gt(gain.get, this.#gain.get)),
      keepBetter(better, [
        [this.scale, scale],
        [this.#gain, gain],
      ]),
    );
  }
}
