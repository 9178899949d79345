/** What the parts of attention share: the shape, the function's variables, and loops over the queries. */
import type { KeyShape, ValueShape } from "../../cache/layout.ts";
import { blockTokens, groupWidth } from "../../cache/layout.ts";
import type { Code, Local, Scope } from "./code.ts";
import { sequence, when } from "./code.ts";
import type { Constants } from "./constants.ts";
import { constantsOf } from "./constants.ts";
import { i32 } from "./instructions.ts";
import { advance, repeat } from "./lanes.ts";

export interface AttendShape extends KeyShape, ValueShape {
  /** Query heads of a row; a key head serves heads / keyHeads of them. */
  readonly heads: number;
  readonly scale: number;
  /** Scores become cap · tanh(score / cap). */
  readonly softCap?: number;
}

/** Queries that are treated at once; what is left over takes a smaller step. */
export const tileQueries = 4;

/** What is kept of a query; byte offsets. */
export interface QueryRecord {
  /** headWidth floats, scaled; where keys are codes, as many int16, and for each group a float that they are worth. */
  readonly query: number;
  readonly queryScales: number;
  /** The block's 32 scores, then weights. */
  readonly scores: number;
  /** Weighted values so far, valueWidth floats. */
  readonly output: number;
  /** Sum of the weights so far, in 8 parts. */
  readonly sums: number;
  /** Largest score so far, and what this block makes of earlier weights. */
  readonly largest: number;
  readonly factor: number;
  /** Where values are codes: the block's 32 weights for a group of dimensions, int16, and what they are worth. */
  readonly codes: number;
  readonly codeScale: number;
  /** 32 bytes for intermediate results. */
  readonly scratch: number;
  readonly bytes: number;
}

export function queryRecord({ headWidth, valueWidth, keyType, valueType }: AttendShape): QueryRecord {
  const queryScales = headWidth * 2;
  const coded = Math.ceil((queryScales + Math.ceil(headWidth / groupWidth) * 4) / 16) * 16;
  const codes = keyType === "f16" ? headWidth * 4 : coded;
  const scores = codes + (valueType === "f16" ? 0 : blockTokens * 2);
  const output = scores + blockTokens * 4;
  const sums = output + valueWidth * 4;
  const scratch = sums + 32;
  const largest = scratch + 32;
  return {
    query: 0,
    queryScales,
    codes,
    scores,
    output,
    sums,
    scratch,
    largest,
    factor: largest + 4,
    codeScale: largest + 8,
    bytes: Math.ceil((largest + 12) / 64) * 64,
  };
}

export interface AttendEmitter {
  readonly shape: AttendShape;
  readonly record: QueryRecord;
  readonly scope: Scope;
  readonly constants: Constants;
  readonly params: Readonly<Record<(typeof paramNames)[number], Local>>;
  /** Queries in all. */
  readonly queries: Local;
  /** The record that is treated. */
  readonly at: Local;
  /** First token of the block, addresses of its keys and values, and its tokens that any row sees. */
  readonly start: Local;
  readonly blockKeys: Local;
  readonly blockValues: Local;
  readonly tokens: Local;
}

const paramNames = [
  "q",
  "out",
  "rows",
  "heads",
  "keys",
  "values",
  "table",
  "first",
  "end",
  "step",
  "length",
  "scratch",
] as const;

export function createEmitter(shape: AttendShape, scope: Scope): AttendEmitter {
  const params = Object.fromEntries(paramNames.map((name) => [name, scope.param("i32")])) as AttendEmitter["params"];
  const local = (): Local => scope.local("i32");
  return {
    shape,
    record: queryRecord(shape),
    scope,
    constants: constantsOf(scope),
    params,
    queries: local(),
    at: local(),
    start: local(),
    blockKeys: local(),
    blockValues: local(),
    tokens: local(),
  };
}

/** Runs a body for each query's record. */
export function forQueries({ scope, params, queries, at, record }: AttendEmitter, body: Code): Code {
  const count = scope.local("i32");
  return sequence(
    at.set(params.scratch.get),
    count.set(queries.get),
    repeat(count, sequence(body, advance([at], record.bytes))),
  );
}

interface RowHeads {
  readonly pointer: Local;
  /** Bytes of a head, and of a row. */
  readonly head: number;
  readonly row: number;
}

/** Runs a body for each query's record while a pointer passes over the heads of rows. */
export function forHeads(
  { scope, params, at, record }: AttendEmitter,
  { pointer, head, row }: RowHeads,
  body: Code,
): Code {
  const rows = scope.local("i32");
  const heads = scope.local("i32");
  const start = scope.local("i32");
  return sequence(
    at.set(params.scratch.get),
    rows.set(params.rows.get),
    start.set(pointer.get),
    repeat(
      rows,
      sequence(
        pointer.set(start.get),
        heads.set(params.heads.get),
        repeat(heads, sequence(body, advance([pointer], head), advance([at], record.bytes))),
        advance([start], row),
      ),
    ),
  );
}

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
