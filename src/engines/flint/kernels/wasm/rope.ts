/** Rotary position embedding (arXiv 2104.09864) of the heads of one row. */
import type { RopeOptions } from "../../graph/graph.ts";
import type { Code, FunctionCode, Local, Scope } from "./code.ts";
import { func, sequence } from "./code.ts";
import type { Constants } from "./constants.ts";
import { constantsOf } from "./constants.ts";
import { copyMemory, f32, f32x4, i32, i8x16, v128 } from "./instructions.ts";
import { advance, repeat } from "./lanes.ts";

export interface RotateShape {
  readonly heads: number;
  /** A multiple of 4. */
  readonly headWidth: number;
  /** Without it rows are copied. */
  readonly rope?: Pick<RopeOptions, "dimensions" | "pairing">;
}

export function rotateName({ heads, headWidth, rope }: RotateShape): string {
  return `rotate-${heads}x${headWidth}${rope ? `-${rope.pairing}-${rope.dimensions}` : ""}`;
}

/**
 * (x, table, y): y = the row x of heads · headWidth floats with the first `dimensions` of each head rotated; y is not x.
 * The table of the row's position: `dimensions / 2` pairs of cosine and sine.
 */
export function rotate(shape: RotateShape): FunctionCode {
  return func(rotateName(shape), (scope) => {
    const [x, table, y] = Array.from({ length: 3 }, () => scope.param("i32")) as [Local, Local, Local];
    const constants = constantsOf(scope);
    const body = rotateRow({ scope, constants, x, table, y }, shape);
    return sequence(constants.load(), body);
  });
}

export interface RotateParts {
  readonly scope: Scope;
  readonly constants: Constants;
  readonly x: Local;
  readonly table: Local;
  readonly y: Local;
}

/** Leaves the variables as they are. */
export function rotateRow(parts: RotateParts, { heads, headWidth, rope }: RotateShape): Code {
  const { scope, x, y } = parts;
  const rowBytes = heads * headWidth * 4;
  if (!rope) return copyMemory(y.get, x.get, i32.const(rowBytes));
  const source = scope.local("i32");
  const target = scope.local("i32");
  const count = scope.local("i32");
  const moving: Moving = { ...parts, source, target };
  // Sine and cosine stay in variables while the heads pass.
  const eachHead = (body: Code): Code =>
    sequence(
      source.set(x.get),
      target.set(y.get),
      count.set(i32.const(heads)),
      repeat(count, sequence(body, advance([source, target], headWidth * 4))),
    );
  const plan = rope.pairing === "halves" ? rotateHalves(moving, rope.dimensions) : rotatePairs(moving, rope.dimensions);
  const rest = headWidth - rope.dimensions;
  return sequence(
    ...plan.flatMap(({ angles, head }) => [angles, eachHead(head)]),
    rest > 0 ? eachHead(copyFloats(moving, rope.dimensions, headWidth)) : [],
  );
}

interface Moving extends RotateParts {
  /** The head to read, and to write. */
  readonly source: Local;
  readonly target: Local;
}

/** A few dimensions of every head. */
interface Part {
  readonly angles: Code;
  readonly head: Code;
}

const evenLanes = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const oddLanes = evenLanes.map((lane) => lane + 4);

/** Dimension i with i + dimensions / 2. */
function rotateHalves(moving: Moving, dimensions: number): Part[] {
  const { scope, table, source, target } = moving;
  const half = dimensions / 2;
  const vectors = scope.locals("v128", 6);
  const [cosine, sine, low, high, first, second] = vectors as [Local, Local, Local, Local, Local, Local];
  const parts: Part[] = [];
  for (let i = 0; i + 4 <= half; i += 4) {
    const [lower, upper] = [i * 4, (i + half) * 4];
    const angles = sequence(
      first.set(v128.load(table.get, i * 8)),
      second.set(v128.load(table.get, i * 8 + 16)),
      cosine.set(i8x16.shuffle(first.get, second.get, evenLanes)),
      sine.set(i8x16.shuffle(first.get, second.get, oddLanes)),
    );
    const head = sequence(
      low.set(v128.load(source.get, lower)),
      high.set(v128.load(source.get, upper)),
      v128.store(target.get, f32x4.sub(f32x4.mul(low.get, cosine.get), f32x4.mul(high.get, sine.get)), lower),
      v128.store(target.get, f32x4.add(f32x4.mul(high.get, cosine.get), f32x4.mul(low.get, sine.get)), upper),
    );
    parts.push({ angles, head });
  }
  for (let i = half - (half % 4); i < half; i++) parts.push(rotateOne(moving, i, [i, i + half]));
  return parts;
}

/** Dimension 2i with 2i + 1. */
function rotatePairs(moving: Moving, dimensions: number): Part[] {
  const { scope, constants, table, source, target } = moving;
  const [angle, cosine, sine, value] = scope.locals("v128", 4) as [Local, Local, Local, Local];
  const signs = v128.andnot(
    constants("signBit"),
    v128.constBytes([0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255]),
  );
  const evens = [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11];
  const odds = evens.map((lane) => lane + 4);
  const swapped = [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11];
  const parts: Part[] = [];
  for (let i = 0; i + 4 <= dimensions; i += 4) {
    const angles = sequence(
      angle.set(v128.load(table.get, i * 4)),
      cosine.set(i8x16.shuffle(angle.get, angle.get, evens)),
      sine.set(v128.xor(i8x16.shuffle(angle.get, angle.get, odds), signs)),
    );
    const turned = f32x4.mul(i8x16.shuffle(value.get, value.get, swapped), sine.get);
    const head = sequence(
      value.set(v128.load(source.get, i * 4)),
      v128.store(target.get, f32x4.add(f32x4.mul(value.get, cosine.get), turned), i * 4),
    );
    parts.push({ angles, head });
  }
  for (let i = (dimensions - (dimensions % 4)) / 2; i < dimensions / 2; i++)
    parts.push(rotateOne(moving, i, [2 * i, 2 * i + 1]));
  return parts;
}

/** The pair of dimensions `low` and `high` by angle `index`. */
function rotateOne(
  { scope, table, source, target }: Moving,
  index: number,
  [low, high]: readonly [number, number],
): Part {
  const [cosine, sine, a, b] = scope.locals("f32", 4) as [Local, Local, Local, Local];
  return {
    angles: sequence(cosine.set(f32.load(table.get, index * 8)), sine.set(f32.load(table.get, index * 8 + 4))),
    head: sequence(
      a.set(f32.load(source.get, low * 4)),
      b.set(f32.load(source.get, high * 4)),
      f32.store(target.get, f32.sub(f32.mul(a.get, cosine.get), f32.mul(b.get, sine.get)), low * 4),
      f32.store(target.get, f32.add(f32.mul(b.get, cosine.get), f32.mul(a.get, sine.get)), high * 4),
    ),
  };
}

function copyFloats({ source, target }: Moving, from: number, to: number): Code {
  const parts: Code[] = [];
  let i = from;
  for (; i + 4 <= to; i += 4) parts.push(v128.store(target.get, v128.load(source.get, i * 4), i * 4));
  for (; i < to; i++) parts.push(f32.store(target.get, f32.load(source.get, i * 4), i * 4));
  return sequence(...parts);
}
