/** Scores of one block: every query times 32 keys. */
import type { AttendEmitter } from "./attention.ts";
import { tileQueries } from "./attention.ts";
import type { Code, Local } from "./code.ts";
import { loopWhile, sequence, when } from "./code.ts";
import { widenHalf } from "./half.ts";
import { f32x4, i32, v128 } from "./instructions.ts";
import { advance, at, halves, lessOne, moveTo, pairBytes, pairFloats, repeat } from "./lanes.ts";
import { blockTokens } from "./store.ts";

/** Runs a body of so many queries until all have been treated; `at` points to the first of them. */
export function forTiles(emitter: AttendEmitter, body: (queries: number) => Code): Code {
  const { scope, params, queries, at: pointer, record } = emitter;
  const count = scope.local("i32");
  const rest = scope.local("i32");
  const smaller = Array.from({ length: tileQueries - 1 }, (_, index) => index + 1);
  return sequence(
    pointer.set(params.scratch.get),
    count.set(i32.divU(queries.get, i32.const(tileQueries))),
    rest.set(i32.remU(queries.get, i32.const(tileQueries))),
    repeat(count, sequence(body(tileQueries), advance([pointer], tileQueries * record.bytes))),
    ...smaller.map((left) => when(i32.eq(rest.get, i32.const(left)), body(left))),
  );
}

/** Sums that fit into 16 registers with what else is needed: pairs of vectors for each query. */
export function pairsOf(queries: number): number {
  return queries > 2 ? 2 : 8 / queries;
}

export function writeScores(emitter: AttendEmitter): Code {
  return forTiles(emitter, (queries) => {
    const pairs = Math.min(pairsOf(queries), blockTokens / pairFloats);
    const passes = blockTokens / pairFloats / pairs;
    return sequence(...Array.from({ length: passes }, (_, pass) => scoreTile(emitter, { queries, pairs, skip: pass * pairs })));
  });
}

interface Tile {
  readonly queries: number;
  /** Tokens: pairs of vectors, and those before them. */
  readonly pairs: number;
  readonly skip: number;
}

/** Dimensions of a round. */
const unrolled = 4;

function scoreTile({ shape, record, scope, constants, at: pointer, blockKeys }: AttendEmitter, tile: Tile): Code {
  const { queries, pairs, skip } = tile;
  const [keys, query, count, place] = scope.locals("i32", 4) as [Local, Local, Local, Local];
  const sums = Array.from({ length: queries }, () => Array.from({ length: pairs }, () => scope.locals("v128", 2)));
  const key = Array.from({ length: pairs }, () => scope.locals("v128", 2));
  const dimension = (index: number): Code =>
    sequence(
      ...key.map((pair, p) =>
        sequence(
          moveTo(place, keys, index * blockTokens * 2 + p * 16),
          ...pair.map((vector, h) => vector.set(widenHalf(constants, place.get, h * 8))),
        ),
      ),
      ...sums.map((row, q) =>
        sequence(
          moveTo(place, query, q * record.bytes + index * 4),
          ...row.flatMap((pair, p) =>
            pair.map((sum, h) => sum.set(f32x4.relaxedMadd(at(at(key, p), h).get, v128.load32splat(place.get), sum.get))),
          ),
        ),
      ),
    );
  return sequence(
    keys.set(i32.add(blockKeys.get, i32.const(skip * 16))),
    query.set(pointer.get),
    count.set(i32.const(shape.headWidth / unrolled)),
    ...sums.flat(2).map((sum) => sum.set(v128.const32(0))),
    loopWhile(
      sequence(
        ...Array.from({ length: unrolled }, (_, index) => dimension(index)),
        advance([keys], unrolled * blockTokens * 2),
        advance([query], unrolled * 4),
      ),
      lessOne(count),
    ),
    ...sums.flatMap((row, q) =>
      row.flatMap((pair, p) =>
        halves.map((h) =>
          v128.store(pointer.get, at(pair, h).get, q * record.bytes + record.scores + (skip + p) * pairBytes + h * 16),
        ),
      ),
    ),
  );
}
