/**
 * Scores of one block whose keys are codes of 8 bits. Queries are rounded to 16 bits in each group: pairs of products
 * then add up in integers, and the error of that is far below the one of the keys.
 */
import { blockTokens, groupBytes, groupWidth, groupsOf, scalesAt } from "../../cache/layout.ts";
import type { AttendEmitter } from "./attention-queries.ts";
import type { ScoreTile } from "./attention-scores.ts";
import type { Code, Local } from "./code.ts";
import { loopWhile, sequence } from "./code.ts";
import { halfScale, widenHalf } from "./half.ts";
import { f32, f32x4, i16x8, i32, i32x4, v128 } from "./instructions.ts";
import { acrossLanes, advance, at, halves, lessOne, moveTo, pairBytes, repeat } from "./lanes.ts";

const mostCode = 32_767;

/** Writes the query at `params.q` into its record. */
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

/** Pairs of dimensions of a round. */
const unrolled = 4;

/** All tiles have the same queries. */
export function scoreCodes(emitter: AttendEmitter, tiles: readonly ScoreTile[]): Code {
  const { shape, record, scope, at: pointer, blockKeys } = emitter;
  const [keys, query, scales, count] = scope.locals("i32", 4) as [Local, Local, Local, Local];
  const { whole, rest } = groupsOf(shape.headWidth);
  const group = (width: number): Code =>
    sequence(...tiles.map((tile) => scoreGroup(emitter, { ...tile, width, keys, query, scales })));
  const zeros = Array.from({ length: tiles[0]?.queries ?? 0 }, (_, q) =>
    Array.from({ length: blockTokens / 4 }, (_, i) =>
      v128.store(pointer.get, v128.const32(0), q * record.bytes + record.scores + i * 16),
    ),
  );
  const next = sequence(
    advance([keys], groupBytes(groupWidth)),
    advance([query], groupWidth * 2),
    advance([scales], 4),
  );
  return sequence(
    ...zeros.flat(),
    keys.set(blockKeys.get),
    query.set(pointer.get),
    scales.set(i32.add(pointer.get, i32.const(record.queryScales))),
    count.set(i32.const(whole)),
    ...(whole > 0 ? [repeat(count, sequence(group(groupWidth), next))] : []),
    ...(rest > 0 ? [group(rest)] : []),
  );
}

interface GroupTile extends ScoreTile {
  /** Dimensions. */
  readonly width: number;
  /** The group's codes, those of the first query, and what they are worth. */
  readonly keys: Local;
  readonly query: Local;
  readonly scales: Local;
}

/** Adds what the dimensions of one group give to the scores of a tile. */
function scoreGroup({ record, scope, constants, at: pointer }: AttendEmitter, tile: GroupTile): Code {
  const { queries, pairs, skip, width } = tile;
  const [keys, query, count, place] = scope.locals("i32", 4) as [Local, Local, Local, Local];
  const sums = Array.from({ length: queries }, () => Array.from({ length: pairs }, () => scope.locals("v128", 2)));
  const key = Array.from({ length: pairs }, () => scope.locals("v128", 2));
  const eachSum = (q: number, body: (sum: Local, p: number, h: number) => Code): Code[] =>
    at(sums, q).flatMap((row, p) => row.map((sum, h) => body(sum, p, h)));
  const round = [unrolled, 2].find((by) => (width / 2) % by === 0) ?? 1;
  const pair = (index: number): Code =>
    sequence(
      ...key.map((vectors, p) =>
        sequence(
          moveTo(place, keys, index * blockTokens * 2 + p * 16),
          ...vectors.map((vector, h) => vector.set(v128.load8x8s(place.get, h * 8))),
        ),
      ),
      ...sums.map((_, q) =>
        sequence(
          moveTo(place, query, q * record.bytes + index * 4),
          ...eachSum(q, (sum, p, h) =>
            sum.set(i32x4.add(sum.get, i32x4.dot16(at(at(key, p), h).get, v128.load32splat(place.get)))),
          ),
        ),
      ),
    );
  const scoreAt = (q: number, p: number, h: number): number =>
    q * record.bytes + record.scores + (skip + p) * pairBytes + h * 16;
  return sequence(
    keys.set(i32.add(tile.keys.get, i32.const(skip * 16))),
    query.set(tile.query.get),
    count.set(i32.const(width / 2 / round)),
    ...sums.flat(2).map((sum) => sum.set(v128.const32(0))),
    loopWhile(
      sequence(
        ...Array.from({ length: round }, (_, index) => pair(index)),
        advance([keys], round * blockTokens * 2),
        advance([query], round * 4),
      ),
      lessOne(count),
    ),
    // Scales follow the codes, two bytes for each token too.
    ...key.map((vectors, p) =>
      sequence(
        moveTo(place, tile.keys, scalesAt(width) + (skip + p) * 16),
        ...vectors.map((vector, h) => vector.set(widenHalf(constants, place.get, h * 8))),
      ),
    ),
    ...sums.map((_, q) =>
      sequence(
        moveTo(place, tile.scales, q * record.bytes),
        ...eachSum(q, (sum, p, h) => {
          const worth = f32x4.mul(at(at(key, p), h).get, v128.load32splat(place.get));
          const before = v128.load(pointer.get, scoreAt(q, p, h));
          return sum.set(f32x4.relaxedMadd(f32x4.convert(sum.get), worth, before));
        }),
        ...eachSum(q, (sum, p, h) => v128.store(pointer.get, sum.get, scoreAt(q, p, h))),
      ),
    ),
  );
}
