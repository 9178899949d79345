/**
 * Groups of weights four at a time, one in each lane: all that is found out about a group is found for four of them, and
 * no sum crosses lanes. Weights and what an error in them counts stand in two arrays of one vector for each place of a group.
 */
import type { Code, Local, Scope } from "../code.ts";
import { loopWhile, sequence } from "../code.ts";
import { f32x4, i32, v128 } from "../instructions.ts";
import { constantsEnd } from "../constants.ts";
import { wordTransposer } from "../pack-transpose.ts";

export type GroupSize = 16 | 32;

/**
 * What an error counts: `even`: everywhere the same; `size`: the root mean square of the group plus |x|; `square`: x²;
 * `importance`: q · √(σ² + x²), where q is the importance of the column and σ² the mean square of the group. Large
 * weights count more than small ones because an output is a sum of few large terms.
 */
export type Weighing = "even" | "size" | "square" | "importance";

const valuesAt = constantsEnd;
const countsAt = valuesAt + 512;
/** First byte of a memory that is free beside these kernels. */
export const quadEnd: number = countsAt + 512;

/** Groups of a quad. */
export const quadGroups = 4;

export interface Quad {
  readonly scope: Scope;
  readonly group: GroupSize;
  /** Runs a body for every place of a group; it gets loads of the weights and of what they count. */
  each(body: (value: Code, count: Code) => Code): Code;
}

export function quadOf(scope: Scope, group: GroupSize): Quad {
  const pointer = scope.local("i32");
  const unrolled = 4;
  return {
    scope,
    group,
    each(body) {
      const bodies = Array.from({ length: unrolled }, (_, index) =>
        body(v128.load(pointer.get, index * 16), v128.load(pointer.get, countsAt - valuesAt + index * 16)),
      );
      const next = pointer.set(i32.add(pointer.get, i32.const(unrolled * 16)));
      const more = i32.ltU(pointer.get, i32.const(valuesAt + group * 16));
      return sequence(pointer.set(i32.const(valuesAt)), loopWhile(sequence(...bodies, next), more));
    },
  };
}

/** Brings four groups that follow each other into lanes, and says what their errors count. */
export function arrange(quad: Quad, weighing: Weighing, { x, q }: { readonly x: Local; readonly q: Local }): Code {
  const transpose = wordTransposer(quad.scope);
  const lanes = (from: Local, to: number): Code =>
    sequence(
      ...Array.from({ length: quad.group / 4 }, (_, step) => {
        const rows = Array.from({ length: quadGroups }, (_, row) =>
          v128.load(from.get, (row * quad.group + step * 4) * 4),
        );
        const { load, columns } = transpose(rows);
        return sequence(
          load,
          ...columns.map((column, place) => v128.store(i32.const(to), column, (step * 4 + place) * 16)),
        );
      }),
    );
  return sequence(lanes(x, valuesAt), weighing === "importance" ? lanes(q, countsAt) : [], weigh(quad, weighing));
}

function weigh({ scope, group }: Quad, weighing: Weighing): Code {
  const value = scope.local("v128");
  const total = scope.local("v128");
  const places = Array.from({ length: group }, (_, index) => index * 16);
  const load = (at: number): Code => v128.load(i32.const(valuesAt), at);
  const write = (count: Code, at: number): Code => v128.store(i32.const(countsAt), count, at);
  const squares = sequence(
    total.set(v128.const32(0)),
    ...places.flatMap((at) => [value.set(load(at)), total.set(f32x4.add(total.get, f32x4.mul(value.get, value.get)))]),
  );
  const square = f32x4.mul(value.get, value.get);
  switch (weighing) {
    case "even":
      return sequence(...places.map((at) => write(v128.constF32(1), at)));
    case "square":
      return sequence(...places.flatMap((at) => [value.set(load(at)), write(square, at)]));
    case "size":
      return sequence(
        squares,
        total.set(f32x4.sqrt(f32x4.mul(total.get, v128.constF32(1 / group)))),
        ...places.map((at) => write(f32x4.add(total.get, f32x4.abs(load(at))), at)),
      );
    case "importance":
      return sequence(
        squares,
        total.set(f32x4.mul(total.get, v128.constF32(1 / group))),
        ...places.flatMap((at) => [
          value.set(load(at)),
          write(f32x4.mul(v128.load(i32.const(countsAt), at), f32x4.sqrt(f32x4.add(total.get, square))), at),
        ]),
      );
  }
}

/** Replaces the best of each lane where the condition holds. */
export function keepBetter(better: Local, pairs: readonly (readonly [best: Local, found: Local])[]): Code {
  return sequence(...pairs.map(([best, found]) => best.set(v128.bitselect(found.get, best.get, better.get))));
}

/** Rounded to an integer from `least` to `most`. */
export function clampRound(value: Code, least: Local, most: Local): Code {
  return f32x4.pmin(f32x4.pmax(f32x4.nearest(value), least.get), most.get);
}
