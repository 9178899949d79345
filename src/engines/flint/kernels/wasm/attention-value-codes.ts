/** Adds the weighted values of one block where they are codes of 8 bits to the output of every query, group by group. */
import { groupBytes, groupWidth, groupsOf, pairedTokens, scalesAt } from "../../cache/layout.ts";
import { codeWeights } from "./attention-codes.ts";
import type { AttendEmitter } from "./attention-queries.ts";
import { forTiles, pairsOf } from "./attention-queries.ts";
import type { Code, Local } from "./code.ts";
import { loopWhile, sequence } from "./code.ts";
import { f32x4, i32, i32x4, select, v128 } from "./instructions.ts";
import { advance, at, lessOne, moveTo, repeat } from "./lanes.ts";

/** Pairs of tokens of a round; the weights of those too many have the code 0. */
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
  const scales = emitter.scope.local("i32");
  const vectors = group.width / 4;
  const wide = Math.min(2 * pairsOf(group.queries), vectors);
  const starts = Array.from({ length: Math.ceil(vectors / wide) }, (_, index) => index * wide);
  return sequence(
    moveTo(scales, group.values, scalesAt(group.width)),
    codeWeights(emitter, group.queries, scales),
    ...starts.map((start) => addTile(emitter, { ...group, start, vectors: Math.min(wide, vectors - start) })),
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
  const most = i32.const(pairedTokens);
  const pairs = select(tokens.get, most, i32.ltU(tokens.get, most));
  return sequence(
    moveTo(row, tile.values, start * 8),
    weights.set(pointer.get),
    count.set(i32.divU(i32.add(pairs, i32.const(unrolled - 1)), i32.const(unrolled))),
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
