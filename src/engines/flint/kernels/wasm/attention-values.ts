/** Adds the weighted values of one block to the output of every query. */
import type { AttendEmitter } from "./attention-queries.ts";
import { forTiles, pairsOf } from "./attention-queries.ts";
import { addCodes } from "./attention-value-codes.ts";
import type { Code, Local } from "./code.ts";
import { loopWhile, sequence } from "./code.ts";
import { widenHalf } from "./half.ts";
import { f32x4, i32, v128 } from "./instructions.ts";
import { advance, at, lessOne, moveTo, repeat } from "./lanes.ts";

/** Tokens of a round; the weights of those too many are 0. */
const unrolled = 4;

export function addValues(emitter: AttendEmitter): Code {
  return emitter.shape.valueType === "q8_0" ? addCodes(emitter) : addHalves(emitter);
}

function addHalves(emitter: AttendEmitter): Code {
  const { shape, scope } = emitter;
  const [values, output, count] = scope.locals("i32", 3) as [Local, Local, Local];
  return forTiles(emitter, (queries) => {
    const vectors = shape.valueWidth / 4;
    const wide = Math.min(2 * pairsOf(queries), vectors);
    const chunks = Math.floor(vectors / wide);
    const parts = { queries, values, output };
    return sequence(
      values.set(emitter.blockValues.get),
      output.set(emitter.at.get),
      count.set(i32.const(chunks)),
      repeat(
        count,
        sequence(
          valueTile(emitter, { ...parts, vectors: wide }),
          advance([values], wide * 8),
          advance([output], wide * 16),
        ),
      ),
      valueTile(emitter, { ...parts, vectors: vectors - chunks * wide }),
    );
  });
}

interface Tile {
  readonly queries: number;
  /** Of 4 values each. */
  readonly vectors: number;
  /** Where the values begin, and the record, moved by as many outputs. */
  readonly values: Local;
  readonly output: Local;
}

function valueTile({ shape, record, scope, constants, at: pointer, tokens }: AttendEmitter, tile: Tile): Code {
  const { queries, vectors, values, output } = tile;
  if (vectors === 0) return [];
  const [weights, row, count, near] = scope.locals("i32", 4) as [Local, Local, Local, Local];
  const sums = Array.from({ length: queries }, () => scope.locals("v128", vectors));
  const value = scope.locals("v128", vectors);
  const place = (q: number, index: number): number => q * record.bytes + record.output + index * 16;
  const token = (index: number): Code =>
    sequence(
      ...value.map((vector, i) =>
        sequence(
          // Neighbours share an address.
          i % 2 === 0 ? moveTo(near, row, index * shape.valueWidth * 2 + i * 8) : [],
          vector.set(widenHalf(constants, near.get, (i % 2) * 8)),
        ),
      ),
      ...sums.map((sum, q) =>
        sequence(
          moveTo(near, weights, q * record.bytes + record.scores + index * 4),
          ...sum.map((vector, i) =>
            vector.set(f32x4.relaxedMadd(at(value, i).get, v128.load32splat(near.get), vector.get)),
          ),
        ),
      ),
    );
  return sequence(
    row.set(values.get),
    weights.set(pointer.get),
    count.set(i32.shrU(i32.add(tokens.get, i32.const(unrolled - 1)), i32.const(2))),
    ...sums.flatMap((sum, q) =>
      sum.map((vector, i) => {
        const factor = v128.load32splat(pointer.get, q * record.bytes + record.factor);
        return vector.set(f32x4.mul(v128.load(output.get, place(q, i)), factor));
      }),
    ),
    loopWhile(
      sequence(
        ...Array.from({ length: unrolled }, (_, index) => token(index)),
        advance([row], unrolled * shape.valueWidth * 2),
        advance([weights], unrolled * 4),
      ),
      lessOne(count),
    ),
    ...sums.flatMap((sum, q) => sum.map((vector, i) => v128.store(output.get, vector.get, place(q, i)))),
  );
}
