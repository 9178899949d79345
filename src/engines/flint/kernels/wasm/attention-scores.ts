/** Scores of one block: every query times 32 keys. */
import { blockTokens } from "../../cache/layout.ts";
import { scoreCodes } from "./attention-key-codes.ts";
import type { AttendEmitter } from "./attention-queries.ts";
import { forTiles, pairsOf } from "./attention-queries.ts";
import type { Code, Local } from "./code.ts";
import { loopWhile, sequence } from "./code.ts";
import { widenHalf } from "./half.ts";
import { f32x4, i32, v128 } from "./instructions.ts";
import { advance, at, halves, lessOne, moveTo, pairBytes, pairFloats } from "./lanes.ts";

export function writeScores(emitter: AttendEmitter): Code {
  return forTiles(emitter, (queries) => {
    const pairs = Math.min(pairsOf(queries), blockTokens / pairFloats);
    const passes = blockTokens / pairFloats / pairs;
    const tiles = Array.from({ length: passes }, (_, pass): ScoreTile => ({ queries, pairs, skip: pass * pairs }));
    if (emitter.shape.keyType === "q8_0") return scoreCodes(emitter, tiles);
    return sequence(...tiles.map((tile) => scoreTile(emitter, tile)));
  });
}

export interface ScoreTile {
  readonly queries: number;
  /** Tokens: pairs of vectors, and those before them. */
  readonly pairs: number;
  readonly skip: number;
}

/** Dimensions of a round. */
const unrolled = 4;

function scoreTile({ shape, record, scope, constants, at: pointer, blockKeys }: AttendEmitter, tile: ScoreTile): Code {
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
            pair.map((sum, h) =>
              sum.set(f32x4.relaxedMadd(at(at(key, p), h).get, v128.load32splat(place.get), sum.get)),
            ),
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
