/** Scores of one block whose keys are codes of 8 bits: every query times 32 keys, group by group. */
import { blockTokens, groupBytes, groupWidth, groupsOf, scalesAt } from "../../cache/layout.ts";
import type { AttendEmitter } from "./attention-queries.ts";
import type { ScoreTile } from "./attention-scores.ts";
import type { Code, Local } from "./code.ts";
import { loopWhile, sequence } from "./code.ts";
import { widenHalf } from "./half.ts";
import { f32x4, i32, i32x4, v128 } from "./instructions.ts";
import { advance, at, lessOne, moveTo, pairBytes, repeat } from "./lanes.ts";

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
