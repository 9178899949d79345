/**
 * Adds the weighted values of one block where they are codes of 8 bits. A weight times the value's scale is rounded to
 * 16 bits, for each group relative to the largest one of the block: pairs of products then add up in integers.
 */
import { blockTokens, groupBytes, groupWidth, groupsOf, scalesAt } from "../../cache/layout.ts";
import type { AttendEmitter } from "./attention-queries.ts";
import { forTiles, pairsOf } from "./attention-queries.ts";
import type { Code, Local } from "./code.ts";
import { loopWhile, sequence } from "./code.ts";
import { widenHalf } from "./half.ts";
import { f32, f32x4, i16x8, i32, i32x4, v128 } from "./instructions.ts";
import { acrossLanes, advance, at, lessOne, moveTo, repeat } from "./lanes.ts";

const mostCode = 32_767;

/** Pairs of tokens of a round; the codes of weights of those too many are 0. */
const unrolled = 4;

export function addCodes(emitter: AttendEmitter): Code {
  const { shape, scope, at: pointer, blockValues } = emitter;
  const [values, output, count] = scope.locals("i32", 3) as [Local, Local, Local];
  const { whole, rest } = groupsOf(shape.valueWidth);
  const next = sequence(advance([values], groupBytes(groupWidth)), advance([output], groupWidth * 4));
  return forTiles(emitter, (queries) => {
    const group = (width: number): Code => addGroup(emitter, { queries, width, values, output });
    return sequence(
      values.set(blockValues.get),
      output.set(pointer.get),
      count.set(i32.const(whole)),
      ...(whole > 0 ? [repeat(count, sequence(group(groupWidth), next))] : []),
      ...(rest > 0 ? [group(rest)] : []),
    );
  });
}

interface Group {
  readonly queries: number;
  /** Dimensions. */
  readonly width: number;
  /** Where the group begins, and the first record, moved by as many outputs. */
  readonly values: Local;
  readonly output: Local;
}

function addGroup(emitter: AttendEmitter, group: Group): Code {
  const vectors = group.width / 4;
  const wide = Math.min(2 * pairsOf(group.queries), vectors);
  const starts = Array.from({ length: Math.ceil(vectors / wide) }, (_, index) => index * wide);
  return sequence(
    ...Array.from({ length: group.queries }, (_, q) => codeWeights(emitter, group, q)),
    ...starts.map((start) => addTile(emitter, { ...group, start, vectors: Math.min(wide, vectors - start) })),
  );
}

/** The block's weights of a query for the values of a group. */
function codeWeights({ record, scope, constants, at: pointer }: AttendEmitter, group: Group, q: number): Code {
  const weights = scope.locals("v128", blockTokens / 4);
  const [most, inverse] = scope.locals("v128", 2) as [Local, Local];
  const scales = scope.local("i32");
  const base = q * record.bytes;
  // Added to so large a number, what is left of the sum's bits is the rounded integer.
  const code = (index: number): Code =>
    i32x4.sub(
      f32x4.relaxedMadd(at(weights, index).get, inverse.get, constants("expRound")),
      constants("expRound"),
    );
  return sequence(
    moveTo(scales, group.values, scalesAt(group.width)),
    ...weights.map((weight, i) =>
      weight.set(
        f32x4.mul(v128.load(pointer.get, base + record.scores + i * 16), widenHalf(constants, scales.get, i * 8)),
      ),
    ),
    most.set(weights.map((weight) => weight.get).reduce((a, b) => f32x4.pmax(a, b))),
    most.set(acrossLanes(most, f32x4.pmax)),
    f32.store(
      pointer.get,
      f32.mul(f32x4.extract(most.get, 0), f32.const(1 / (mostCode * 127))),
      base + record.codeScale,
    ),
    inverse.set(f32x4.div(f32x4.splat(f32.const(mostCode)), most.get)),
    ...Array.from({ length: blockTokens / 8 }, (_, i) =>
      v128.store(pointer.get, i16x8.narrow32s(code(2 * i), code(2 * i + 1)), base + record.codes + i * 16),
    ),
  );
}

interface Tile extends Group {
  /** Of 4 dimensions each: first vector, and how many. */
  readonly start: number;
  readonly vectors: number;
}

function addTile({ record, scope, at: pointer, tokens }: AttendEmitter, tile: Tile): Code {
  const { queries, width, start, vectors, output } = tile;
  const [weights, row, count, near] = scope.locals("i32", 4) as [Local, Local, Local, Local];
  const sums = Array.from({ length: queries }, () => scope.locals("v128", vectors));
  const value = scope.locals("v128", vectors);
  const place = (q: number, index: number): number => q * record.bytes + record.output + (start + index) * 16;
  const pair = (index: number): Code =>
    sequence(
      ...value.map((vector, i) =>
        sequence(
          // Neighbours share an address.
          i % 2 === 0 ? moveTo(near, row, index * width * 2 + i * 8) : [],
          vector.set(v128.load8x8s(near.get, (i % 2) * 8)),
        ),
      ),
      ...sums.map((sum, q) =>
        sequence(
          moveTo(near, weights, q * record.bytes + record.codes + index * 4),
          ...sum.map((vector, i) =>
            vector.set(i32x4.add(vector.get, i32x4.dot16(at(value, i).get, v128.load32splat(near.get)))),
          ),
        ),
      ),
    );
  return sequence(
    moveTo(row, tile.values, start * 8),
    weights.set(pointer.get),
    count.set(i32.shrU(i32.add(tokens.get, i32.const(2 * unrolled - 1)), i32.const(3))),
    ...sums.flat().map((sum) => sum.set(v128.const32(0))),
    loopWhile(
      sequence(
        ...Array.from({ length: unrolled }, (_, index) => pair(index)),
        advance([row], unrolled * width * 2),
        advance([weights], unrolled * 4),
      ),
      lessOne(count),
    ),
    ...sums.flatMap((sum, q) =>
      sum.map((vector, i) => {
        const factor = v128.load32splat(pointer.get, q * record.bytes + record.factor);
        const worth = v128.load32splat(pointer.get, q * record.bytes + record.codeScale);
        const before = f32x4.mul(v128.load(output.get, place(q, i)), factor);
        return vector.set(f32x4.relaxedMadd(f32x4.convert(vector.get), worth, before));
      }),
    ),
    ...sums.flatMap((sum, q) => sum.map((vector, i) => v128.store(output.get, vector.get, place(q, i)))),
  );
}
