/** From the scores of one block to weights: cap, mask, running maximum, exp and running sum. */
import { blockTokens } from "../../cache/layout.ts";
import type { AttendEmitter } from "./attention-queries.ts";
import { forQueries } from "./attention-queries.ts";
import type { Code, Local } from "./code.ts";
import { sequence } from "./code.ts";
import { exp, expWeight } from "./exp.ts";
import { f32, f32x4, i32, i32x4, select, v128 } from "./instructions.ts";
import { advance, at, combinePairs, halves, pairBytes, pairFloats, repeat } from "./lanes.ts";
import { tanh } from "./saturating.ts";

const pairs = blockTokens / pairFloats;

/** Byte offset of a vector of scores. */
function scoresAt({ record }: AttendEmitter, pair: number, half: number): number {
  return record.scores + pair * pairBytes + half * 16;
}

function eachVector(body: (pair: number, half: number) => Code): Code {
  return sequence(...Array.from({ length: pairs }, (_, pair) => halves.map((h) => body(pair, h))).flat());
}

/** The scores are divided by the cap already. */
export function capScores(emitter: AttendEmitter): Code {
  const { shape, scope, at: pointer } = emitter;
  const cap = scope.local("v128");
  const capped = eachVector((pair, half) => {
    const offset = scoresAt(emitter, pair, half);
    return v128.store(pointer.get, f32x4.mul(tanh(emitter, v128.load(pointer.get, offset)), cap.get), offset);
  });
  return sequence(cap.set(f32x4.splat(f32.const(shape.softCap ?? 1))), forQueries(emitter, capped));
}

/** Scores of tokens that a row does not see become -infinity. */
export function maskScores(emitter: AttendEmitter): Code {
  const { scope, params, record, start, at: pointer } = emitter;
  const [rows, heads, low, high, cut] = scope.locals("i32", 5) as [Local, Local, Local, Local, Local];
  const [lowest, highest] = scope.locals("v128", 2) as [Local, Local];
  const masked = eachVector((pair, half) => {
    const offset = scoresAt(emitter, pair, half);
    const token = v128.constBytes([0, 1, 2, 3].flatMap((lane) => [pair * pairFloats + half * 4 + lane, 0, 0, 0]));
    const seen = v128.and(i32x4.gtS(highest.get, token), i32x4.gtS(token, lowest.get));
    return v128.store(
      pointer.get,
      v128.bitselect(v128.load(pointer.get, offset), v128.constF32(-Infinity), seen),
      offset,
    );
  });
  const row = sequence(
    cut.set(select(high.get, params.length.get, i32.ltS(high.get, params.length.get))),
    highest.set(i32x4.splat(i32.sub(cut.get, start.get))),
    lowest.set(i32x4.splat(i32.sub(i32.sub(low.get, start.get), i32.const(1)))),
    heads.set(params.heads.get),
    repeat(heads, sequence(masked, advance([pointer], record.bytes))),
    low.set(i32.add(low.get, params.step.get)),
    high.set(i32.add(high.get, params.step.get)),
  );
  return sequence(
    pointer.set(params.scratch.get),
    low.set(params.first.get),
    high.set(params.end.get),
    rows.set(params.rows.get),
    repeat(rows, row),
  );
}

/** Scores become weights: 2^96 · exp(score - largest so far). */
export function weighScores(emitter: AttendEmitter): Code {
  const { scope, record, at: pointer } = emitter;
  const scores = Array.from({ length: pairs }, () => scope.locals("v128", 2));
  const sums = scope.locals("v128", 2);
  const [factor, largest] = scope.locals("v128", 2) as [Local, Local];
  const before = scope.local("f32");
  const now = scope.local("f32");
  const scratch = i32.add(pointer.get, i32.const(record.scratch));
  const one = sequence(
    eachVector((pair, half) => at(at(scores, pair), half).set(v128.load(pointer.get, scoresAt(emitter, pair, half)))),
    before.set(f32.load(pointer.get, record.largest)),
    now.set(f32.max(before.get, combinePairs(scores, scratch, { scope, combine: f32x4.pmax }))),
    f32.store(pointer.get, now.get, record.largest),
    largest.set(f32x4.splat(now.get)),
    factor.set(exp(emitter, f32x4.splat(f32.sub(before.get, now.get)))),
    v128.store32lane(pointer.get, factor.get, 0, record.factor),
    ...halves.map((h) =>
      at(sums, h).set(
        f32x4.mul(v128.load(pointer.get, record.sums + h * 16), v128.load32splat(pointer.get, record.factor)),
      ),
    ),
    ...scores.flatMap((pair, index) => [
      ...halves.map((h) => at(pair, h).set(expWeight(emitter, f32x4.sub(at(pair, h).get, largest.get)))),
      ...halves.map((h) => at(sums, h).set(f32x4.add(at(sums, h).get, at(pair, h).get))),
      ...halves.map((h) => v128.store(pointer.get, at(pair, h).get, scoresAt(emitter, index, h))),
    ]),
    ...halves.map((h) => v128.store(pointer.get, at(sums, h).get, record.sums + h * 16)),
  );
  return forQueries(emitter, one);
}
