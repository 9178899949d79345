/**
 * Attention over the paged cache, one block of 32 tokens after the other, with a running maximum and sum (online
 * softmax: arXiv 1805.02867, 2205.14135). Several queries that read the same keys share the work of loading them: the
 * heads of a group (GQA), and neighbouring rows of a sequence.
 *
 * Keys and values, or the scales of their codes, come out of the cache 2^112 times too small (see `half.ts`). For keys
 * that is put right in the queries. The weights are 2^96 times too large, so that their sum cannot overflow, and the
 * rest is put right at the end.
 */
import { blockTokens, keyBlockBytes, valueBlockBytes } from "../../cache/layout.ts";
import { codeQuery } from "./attention-codes.ts";
import type { AttendEmitter, AttendShape } from "./attention-queries.ts";
import { createEmitter, forHeads, queryRecord } from "./attention-queries.ts";
import { writeScores } from "./attention-scores.ts";
import { addValues } from "./attention-values.ts";
import { capScores, maskScores, weighScores } from "./attention-weights.ts";
import type { Code, FunctionCode, Local } from "./code.ts";
import { func, loopWhile, sequence, when } from "./code.ts";
import { halfScale } from "./half.ts";
import { f32, f32x4, fillMemory, i32, select, v128 } from "./instructions.ts";
import { acrossLanes, advance } from "./lanes.ts";
import { touch } from "./touch.ts";

export type { AttendShape } from "./attention-queries.ts";

export function attendName(shape: AttendShape): string {
  const { heads, keyHeads, headWidth, valueWidth, keyType, valueType, scale, softCap } = shape;
  const cap = softCap ? `-cap-${softCap}` : "";
  return `attend-${heads}x${headWidth}-${keyType}-${keyHeads}x${valueWidth}-${valueType}-${scale}${cap}`;
}

/** Bytes of scratch that so many queries (rows · heads of one call) need. */
export function attendScratchBytes(shape: AttendShape, queries: number): number {
  return queryRecord(shape).bytes * queries;
}

/**
 * (q, out, rows, heads, keys, values, table, first, end, step, length, scratch):
 * - q, out: address of the first query's head and of where its result goes, in rows of heads · headWidth and
 *   heads · valueWidth floats; q is rotated, out is not q;
 * - rows, heads: consecutive rows of one sequence, and neighbouring heads in each that share a key head; the work is
 *   shared best if rows · heads is a multiple of 4;
 * - keys, values: address of the key head in block 0 of the layer; blocks follow each other at `keyBlockBytes` and
 *   `valueBlockBytes`;
 * - table: address of the sequence's blocks, int32 numbers;
 * - first, end: row 0 sees the tokens first <= token < end; each further row a range that is moved by `step` (0 or 1);
 * - length: tokens of the sequence; ranges are cut to 0 and this;
 * - scratch: `attendScratchBytes`, at a multiple of 64.
 * A row that sees no token gets zeros. What free slots of a block hold does not matter.
 */
export function attend(shape: AttendShape): FunctionCode {
  return func(attendName(shape), (scope) => {
    const emitter = createEmitter(shape, scope);
    const body = sequence(prepareQueries(emitter), forBlocks(emitter), writeOutputs(emitter));
    return sequence(emitter.constants.load(), body);
  });
}

/** Scales the queries, and begins with no weight. */
function prepareQueries(emitter: AttendEmitter): Code {
  const { shape, record, params, queries, at } = emitter;
  const { heads, headWidth, keyType } = shape;
  const rest = record.bytes - record.output;
  const one = sequence(
    keyType === "q8_0" ? codeQuery(emitter) : scaleQuery(emitter),
    fillMemory(i32.add(at.get, i32.const(record.output)), i32.const(0), i32.const(rest)),
    f32.store(at.get, f32.const(lowestScore), record.largest),
  );
  return sequence(
    queries.set(i32.mul(params.rows.get, params.heads.get)),
    forHeads(emitter, { pointer: params.q, head: headWidth * 4, row: heads * headWidth * 4 }, one),
  );
}

function scaleQuery({ shape, record, scope, params, at }: AttendEmitter): Code {
  const factor = scope.local("v128");
  const scale = (shape.scale * halfScale) / (shape.softCap ?? 1);
  const scaled = Array.from({ length: shape.headWidth / 4 }, (_, index) =>
    v128.store(at.get, f32x4.mul(v128.load(params.q.get, index * 16), factor.get), record.query + index * 16),
  );
  return sequence(factor.set(f32x4.splat(f32.const(scale))), ...scaled);
}

/** Where the running maximum begins: not infinity, whose differences are not numbers. */
const lowestScore = -1e30;

function forBlocks(emitter: AttendEmitter): Code {
  const { shape, scope, params, start, tokens, blockKeys, blockValues } = emitter;
  const { first, end, rows, step, length, table } = params;
  const last = scope.local("i32");
  const highest = scope.local("i32");
  const id = scope.local("i32");
  const least = (a: Code, b: Code): Code => select(a, b, i32.ltS(a, b));
  // Rows after the first see tokens further on.
  const movedBy = i32.mul(step.get, last.get);
  const block = sequence(
    id.set(i32.load(i32.add(table.get, i32.shl(i32.shrU(start.get, i32.const(5)), i32.const(2))))),
    blockKeys.set(i32.add(params.keys.get, i32.mul(id.get, i32.const(keyBlockBytes(shape))))),
    blockValues.set(i32.add(params.values.get, i32.mul(id.get, i32.const(valueBlockBytes(shape))))),
    tokens.set(least(i32.sub(highest.get, start.get), i32.const(blockTokens))),
    touchHead(emitter, blockKeys, keyBlockBytes({ ...shape, keyHeads: 1 })),
    writeScores(emitter),
    shape.softCap ? capScores(emitter) : [],
    when(
      i32.or(
        i32.gtS(i32.add(first.get, movedBy), start.get),
        i32.ltS(least(end.get, length.get), i32.add(start.get, i32.const(blockTokens))),
      ),
      maskScores(emitter),
    ),
    weighScores(emitter),
    touchHead(emitter, blockValues, valueBlockBytes({ ...shape, keyHeads: 1 })),
    addValues(emitter),
    advance([start], blockTokens),
  );
  return sequence(
    last.set(i32.sub(rows.get, i32.const(1))),
    highest.set(least(i32.add(end.get, movedBy), length.get)),
    start.set(i32.and(select(first.get, i32.const(0), i32.gtS(first.get, i32.const(0))), i32.const(-blockTokens))),
    when(i32.ltS(start.get, highest.get), loopWhile(block, i32.ltS(start.get, highest.get))),
  );
}

/** Long contexts come from memory, which bursts of loads use better than the arithmetic does. */
function touchHead({ scope, params, record }: AttendEmitter, head: Local, bytes: number): Code {
  const sink = i32.add(params.scratch.get, i32.const(record.scratch));
  return touch(scope, { address: head.get, bytes, sink });
}

/** Divides by the sum of the weights. */
function writeOutputs(emitter: AttendEmitter): Code {
  const { shape, record, scope, params, at } = emitter;
  const { heads, valueWidth } = shape;
  const sum = scope.local("v128");
  const inverse = scope.local("v128");
  const load = (half: number): Code => v128.load(at.get, record.sums + half * 16);
  const weight = f32x4.extract(sum.get, 0);
  // The largest weight is 2^96: a sum far below it is that of masked scores.
  const factor = select(f32.div(f32.const(halfScale), weight), f32.const(0), f32.gt(weight, f32.const(2 ** 80)));
  const one = sequence(
    sum.set(f32x4.add(load(0), load(1))),
    sum.set(acrossLanes(sum, f32x4.add)),
    inverse.set(f32x4.splat(factor)),
    ...Array.from({ length: valueWidth / 4 }, (_, index) =>
      v128.store(params.out.get, f32x4.mul(v128.load(at.get, record.output + index * 16), inverse.get), index * 16),
    ),
  );
  return forHeads(emitter, { pointer: params.out, head: valueWidth * 4, row: heads * valueWidth * 4 }, one);
}
