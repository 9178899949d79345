/** Norms of rows. Sums are kept in up to 32 lanes of float32: relative error about 1e-6. */
import type { Code, FunctionCode, Local, Scope } from "./code.ts";
import { func, sequence } from "./code.ts";
import { f32, f32x4, i32, v128 } from "./instructions.ts";
import { advance, at, combinePairs, forPairs, halves, pairFloats, repeat } from "./lanes.ts";

export interface NormShape {
  readonly kind: "rms" | "layer";
  /** Floats that are normed together, any number. */
  readonly width: number;
  /** Neighbours in a row that are normed apart and have a part of the weight each. Default 1. */
  readonly groups?: number;
  readonly weight: boolean;
  readonly bias: boolean;
  /** Normed is the sum of two inputs, which is written out as well. */
  readonly sum?: boolean;
}

export function normName({ kind, width, groups = 1, weight, bias, sum }: NormShape): string {
  return `norm-${kind}-${width}x${groups}${weight ? "-weight" : ""}${bias ? "-bias" : ""}${sum ? "-sum" : ""}`;
}

/**
 * (x, weight, bias, y, rows, epsilon: f32), or with `sum` (a, b, sum, weight, bias, y, rows, epsilon: f32): y = norm(x),
 * respectively sum = a + b and y = norm(sum). A row has groups · width floats, and so have weight and bias; addresses
 * of what the shape lacks are not read. y is none of the others; sum may be a or b.
 * A norm of each head by a weight that all heads share: `width` of a head, and rows · heads as `rows`.
 */
export function norm(shape: NormShape): FunctionCode {
  return func(normName(shape), (scope) => new Emitter(shape, scope).body());
}

interface Row {
  readonly inputs: readonly Local[];
  readonly x: Local;
  readonly y: Local;
  readonly weight: Local;
  readonly bias: Local;
}

class Emitter {
  readonly #shape: NormShape;
  readonly #scope: Scope;
  readonly #params: Row;
  readonly #rows: Local;
  readonly #epsilon: Local;
  /** Pointers that run through a row. */
  readonly #at: Row;
  readonly #count: Local;
  readonly #sums: readonly Local[][];
  readonly #rest: Local;
  readonly #mean: Local;
  readonly #factor: Local;

  constructor(shape: NormShape, scope: Scope) {
    this.#shape = shape;
    this.#scope = scope;
    const inputs = shape.sum ? [scope.param("i32"), scope.param("i32")] : [];
    const [x, weight, bias, y, rows] = Array.from({ length: 5 }, () => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    this.#params = { inputs, x, y, weight, bias };
    this.#rows = rows;
    this.#epsilon = scope.param("f32");
    const local = (): Local => scope.local("i32");
    this.#at = { inputs: inputs.map(local), x: local(), y: local(), weight: local(), bias: local() };
    this.#count = local();
    this.#sums = Array.from({ length: 4 }, () => scope.locals("v128", 2));
    this.#rest = scope.local("f32");
    this.#mean = scope.local("f32");
    this.#factor = scope.local("f32");
  }

  body(): Code {
    const { groups = 1, width, kind } = this.#shape;
    const { inputs, x, y } = this.#params;
    const group = this.#scope.local("i32");
    const offset = this.#scope.local("i32");
    const one = sequence(
      this.#shape.sum ? this.#add() : [],
      kind === "layer"
        ? this.#mean.set(
            f32.mul(
              this.#total((value) => value),
              f32.const(1 / width),
            ),
          )
        : [],
      this.#factor.set(this.#inverse()),
      this.#write(offset),
      advance([...inputs, x, y, offset], width * 4),
    );
    const row = sequence(offset.set(i32.const(0)), group.set(i32.const(groups)), repeat(group, one));
    return repeat(this.#rows, row);
  }

  #reset(pointers: readonly (keyof Row)[]): Code {
    return pointers.flatMap((name) => {
      if (name === "inputs")
        return this.#at.inputs.flatMap((local, index) => local.set(at(this.#params.inputs, index).get));
      return this.#at[name].set(this.#params[name].get);
    });
  }

  /** Runs over a row: pairs of vectors, then single floats. */
  #each(
    pointers: readonly Local[],
    pair: (offset: number, chain: number) => Code,
    single: (offset: number) => Code,
  ): Code {
    const pairs = Math.floor(this.#shape.width / pairFloats);
    const rest = this.#shape.width % pairFloats;
    return sequence(
      forPairs({ pairs, pointers, count: this.#count }, pair),
      ...Array.from({ length: rest }, (_, index) => single(index * 4)),
    );
  }

  /** x = a + b */
  #add(): Code {
    const { x, inputs } = this.#at;
    const [a, b] = [at(inputs, 0), at(inputs, 1)];
    return sequence(
      this.#reset(["inputs", "x"]),
      this.#each(
        [x, a, b],
        (offset) =>
          sequence(
            ...halves.map((h) => {
              const place = offset + h * 16;
              return v128.store(x.get, f32x4.add(v128.load(a.get, place), v128.load(b.get, place)), place);
            }),
          ),
        (offset) => f32.store(x.get, f32.add(f32.load(a.get, offset), f32.load(b.get, offset)), offset),
      ),
    );
  }

  /** Σ map(x); `map` gets a vector or a float. The first 32 bytes of y serve as scratch. */
  #total(map: (value: Code, isVector: boolean) => Code): Code {
    const { x } = this.#at;
    const sum = (offset: number, chain: number): Code =>
      sequence(
        ...halves.map((h) => {
          const local = at(at(this.#sums, chain), h);
          return local.set(f32x4.add(local.get, map(v128.load(x.get, offset + h * 16), true)));
        }),
      );
    const single = (offset: number): Code =>
      this.#rest.set(f32.add(this.#rest.get, map(f32.load(x.get, offset), false)));
    const zero = this.#sums.flat().flatMap((local) => local.set(v128.const32(0)));
    const all = this.#shape.width < pairFloats ? f32.const(0) : this.#combined();
    return sequence(
      this.#reset(["x"]),
      zero,
      this.#rest.set(f32.const(0)),
      this.#each([x], sum, single),
      f32.add(all, this.#rest.get),
    );
  }

  #combined(): Code {
    return combinePairs(this.#sums, this.#params.y.get, { scope: this.#scope, combine: f32x4.add });
  }

  /** 1 / √(mean square + epsilon), or 1 / √(variance + epsilon). */
  #inverse(): Code {
    const mean = this.#scope.local("v128");
    const vector = this.#scope.local("v128");
    const float = this.#scope.local("f32");
    const squares = this.#total((value, isVector) => {
      const local = isVector ? vector : float;
      const { sub, mul } = isVector ? f32x4 : f32;
      const distance = this.#shape.kind === "rms" ? value : sub(value, isVector ? mean.get : this.#mean.get);
      return [...local.set(distance), ...mul(local.get, local.get)];
    });
    const variance = f32.mul(squares, f32.const(1 / this.#shape.width));
    return sequence(
      mean.set(f32x4.splat(this.#mean.get)),
      f32.div(f32.const(1), f32.sqrt(f32.add(variance, this.#epsilon.get))),
    );
  }

  /** `offset`: bytes from the begin of weight and bias to this group's part. */
  #write(offset: Local): Code {
    const { x, y, weight, bias } = this.#at;
    const factor = this.#scope.local("v128");
    const mean = this.#scope.local("v128");
    const value = (place: number, isVector: boolean): Code => {
      const { add, sub, mul } = isVector ? f32x4 : f32;
      const load = isVector ? v128.load : f32.load;
      const [scale, middle] = isVector ? [factor, mean] : [this.#factor, this.#mean];
      const centred = this.#shape.kind === "rms" ? load(x.get, place) : sub(load(x.get, place), middle.get);
      const normed = mul(centred, scale.get);
      const weighted = this.#shape.weight ? mul(normed, load(weight.get, place)) : normed;
      return this.#shape.bias ? add(weighted, load(bias.get, place)) : weighted;
    };
    const parts = [...(this.#shape.weight ? [weight] : []), ...(this.#shape.bias ? [bias] : [])];
    return sequence(
      this.#reset(["x", "y", "weight", "bias"]),
      ...parts.map((part) => part.set(i32.add(part.get, offset.get))),
      factor.set(f32x4.splat(this.#factor.get)),
      mean.set(f32x4.splat(this.#mean.get)),
      this.#each(
        [x, y, ...parts],
        (place) => sequence(...halves.map((h) => v128.store(y.get, value(place + h * 16, true), place + h * 16))),
        (place) => f32.store(y.get, value(place, false), place),
      ),
    );
  }
}
