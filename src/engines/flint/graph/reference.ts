/**
 * A second implementation of the graph for tests: slow, plain, all in float64. What the kernels and the architectures are
 * measured against.
 */
import { activate, attendRow, normRow, product, rotate } from "./reference-math.ts";
import type { CacheEntry } from "./reference-math.ts";
import type { AttentionOptions, ExpertsOptions, Matrix, NormOptions, RowsGraph, Value, Vector } from "./graph.ts";

/** One token of one sequence. */
export interface ReferenceRow {
  readonly token: number;
  readonly sequence: number;
  readonly position: number;
  /** Whether its logits are wanted. */
  readonly output?: boolean;
  /** In place of the token's row in the table of embeddings: a row of a picture. */
  readonly embedding?: ArrayLike<number>;
  /** See `RopeOptions.sections`. Default: its position in each direction. */
  readonly place?: readonly number[];
  /** See `StepArea.reaches`. */
  readonly reach?: number;
  readonly start?: number;
  /** What it brings along for each input of the graph. */
  readonly inputs?: readonly ArrayLike<number>[];
  /** Cosine and sine of each pair of a head, in place of those of its position. */
  readonly angles?: ArrayLike<number>;
}

export interface Reference {
  /** Runs the forward pass: one row of logits for each wanted row, or of hidden states for each row. */
  step(rows: readonly ReferenceRow[]): Float64Array[];
}

type Rows = readonly Float64Array[];

/** What one step works on. */
interface Step {
  readonly rows: readonly ReferenceRow[];
  readonly values: Rows[];
}

export interface ReferenceOptions {
  /** All elements of a tensor, as floats, in the order of the file. */
  readonly weights: (name: string) => ArrayLike<number>;
  /** What the cache keeps of an element of a key or value, e.g. the nearest half float. Default: all of it. */
  readonly keep?: ((element: number) => number) | undefined;
  /** What a matrix sees of an element of its input. Default: all of it; llama.cpp rounds it for matrices of F16. */
  readonly see?: ((element: number, matrix: string) => number) | undefined;
  /** Default: exact; llama.cpp takes GELU from a table of half floats. */
  readonly activate?: typeof activate | undefined;
}

export function createReference(build: (graph: RowsGraph) => void, options: ReferenceOptions): Reference {
  const ops: ((step: Step) => Rows)[] = [];
  const value = (width: number, run: (step: Step) => Rows): Value => {
    ops.push(run);
    return { id: ops.length - 1, width };
  };
  build(createGraph(value, options));
  return {
    step(rows) {
      const step: Step = { rows, values: [] };
      for (const run of ops) step.values.push(run(step));
      return (step.values.at(-1) ?? []).map((row) => Float64Array.from(row));
    },
  };
}

type Define = (width: number, run: (step: Step) => Rows) => Value;

function createGraph(value: Define, options: ReferenceOptions): RowsGraph {
  const { weights, keep = (element) => element, activate: activation = activate } = options;
  /** A value whose rows are made from those of another, one by one. */
  const map = (x: Value, width: number, run: (row: Float64Array) => Float64Array): Value =>
    value(width, ({ values }) => rowsOf(values, x).map(run));
  const vector = (of: Vector | undefined): ArrayLike<number> | undefined =>
    of && slice(weights(of.name), of.start ?? 0, of.length);
  const tableRow = (table: Matrix, row: number): Float64Array =>
    Float64Array.from(slice(weights(table.name), row * table.k, table.k));
  const linear = (x: Value, weight: Matrix, bias?: Vector): Value =>
    map(x, weight.n, (row) => sum(multiply(options, weight, gather(row, vector(weight.columns))), vector(bias)));
  let inputs = 0;
  const graph: RowsGraph = {
    input(width) {
      const index = inputs++;
      return value(width, ({ rows }) => rows.map((row) => Float64Array.from(row.inputs?.[index] ?? [])));
    },
    joinRows: (x, count) => value(x.width * count, ({ values }) => grouped(rowsOf(values, x), count).map(joined)),
    averageRows: (x, count) =>
      value(x.width, ({ values }) =>
        grouped(rowsOf(values, x), count).map((rows) =>
          rows.reduce((total, row) => sum(total, row), new Float64Array(x.width)).map((element) => element / count),
        ),
      ),
    embed: (table, scale = 1) =>
      value(table.k, ({ rows }) =>
        rows.map(({ token, embedding }) =>
          embedding ? Float64Array.from(embedding) : tableRow(table, token).map((element) => element * scale),
        ),
      ),
    embedPosition: (x, table) =>
      value(x.width, ({ rows, values }) =>
        rowsOf(values, x).map((row, index) => sum(row, tableRow(table, rows[index]?.position ?? 0))),
      ),
    embedConstant: (x, table, index) => map(x, x.width, (row) => sum(row, tableRow(table, index))),
    norm: (x, options) => map(x, x.width, (row) => normRow(row, { ...options, ...resolve(options, vector) })),
    linear: (x, weight, options) => linear(x, weight, options?.bias),
    add: (a, b) =>
      value(a.width, ({ values }) => rowsOf(values, a).map((row, index) => sum(row, rowsOf(values, b)[index]))),
    scale: (x, factor) => map(x, x.width, (row) => row.map((element) => element * factor)),
    gated: (gate, up, kind) =>
      value(up.width, ({ values }) =>
        rowsOf(values, up).map((row, index) => {
          const gates = rowsOf(values, gate)[index] ?? row;
          return row.map((element, at) => element * activation(gates[gate.width === 1 ? 0 : at] ?? 0, kind));
        }),
      ),
    activate: (x, kind) => map(x, x.width, (row) => row.map((element) => activation(element, kind))),
    attention: (q, k, v, heads) =>
      value(heads.heads * heads.valueWidth, attention({ q, k, v }, heads, { vector, keep })),
    experts: (x, experts) => map(x, x.width, (row) => mixExperts(row, experts, options)),
    outputRows: (x) =>
      value(x.width, ({ rows, values }) => rowsOf(values, x).filter((_, index) => rows[index]?.output ?? false)),
    meanRows: (x) => value(x.width, (step) => meanRows(step, x)),
    logits(x, weight, { bias, scale = 1, softCap } = {}) {
      const scores = graph.scale(linear(x, weight, bias), scale);
      if (softCap !== undefined)
        map(scores, weight.n, (row) => row.map((score) => softCap * Math.tanh(score / softCap)));
    },
    hidden: (x) => void graph.scale(x, 1),
  };
  return graph;
}

function grouped(rows: Rows, count: number): Rows[] {
  return Array.from({ length: Math.floor(rows.length / count) }, (_, at) => rows.slice(at * count, (at + 1) * count));
}

function joined(rows: Rows): Float64Array {
  return Float64Array.from(rows.flatMap((row) => Array.from(row)));
}

function rowsOf(values: readonly Rows[], { id }: Value): Rows {
  return values[id] ?? [];
}

function slice(all: ArrayLike<number>, start: number, length: number): ArrayLike<number> {
  return Array.prototype.slice.call(all, start, start + length);
}

function sum(row: Float64Array, other: ArrayLike<number> | undefined): Float64Array {
  return other ? row.map((element, index) => element + (other[index] ?? 0)) : row;
}

function gather(row: Float64Array, columns: ArrayLike<number> | undefined): Float64Array {
  return columns ? row.map((_, index) => row[columns[index] ?? 0] ?? 0) : row;
}

function resolve(
  { weight, bias }: NormOptions,
  vector: (of: Vector | undefined) => ArrayLike<number> | undefined,
): { readonly weights: ArrayLike<number> | undefined; readonly biases: ArrayLike<number> | undefined } {
  return { weights: vector(weight), biases: vector(bias) };
}

interface AttentionSource {
  readonly vector: (of: Vector | undefined) => ArrayLike<number> | undefined;
  readonly keep: (element: number) => number;
}

/** Keeps what it has seen of each sequence. */
function attention(
  { q, k, v }: { readonly q: Value; readonly k: Value; readonly v: Value },
  options: AttentionOptions,
  { vector, keep }: AttentionSource,
): (step: Step) => Rows {
  const cache = new Map<number, CacheEntry[]>();
  const { rope, headWidth } = options;
  const factors = vector(rope?.factors);
  const rotated = (row: Float64Array, { position, place, angles }: ReferenceRow): Float64Array =>
    rope ? rotate(row, { rope, headWidth, position, place, factors, angles }) : row;
  return ({ rows, values }) => {
    for (const [index, row] of rows.entries()) {
      const { sequence, position } = row;
      const entries = cache.get(sequence) ?? [];
      const keys = rotated(rowsOf(values, k)[index] ?? new Float64Array(), row).map(keep);
      entries[position] = { position, keys, values: (rowsOf(values, v)[index] ?? new Float64Array()).map(keep) };
      cache.set(sequence, entries);
    }
    return rows.map((row, index) => {
      const { sequence, position } = row;
      const query = rotated(rowsOf(values, q)[index] ?? new Float64Array(), row);
      const { start, reach } = options.picturesBothWays || options.parts ? row : {};
      return attendRow(query, { position, start, reach, entries: cache.get(sequence) ?? [], options });
    });
  };
}

/** A row times a matrix, as far as the matrix sees it. */
function multiply({ weights, see }: ReferenceOptions, matrix: Matrix, row: Float64Array): Float64Array {
  return product(weights(matrix.name), matrix, see ? row.map((element) => see(element, matrix.name)) : row);
}

function mixExperts(row: Float64Array, options: ExpertsOptions, reference: ReferenceOptions): Float64Array {
  const { activate: activation = activate } = reference;
  const scores = multiply(reference, options.router, row);
  const chosen = choose(scores, options);
  const mixed = new Float64Array(row.length);
  for (const { expert, weight } of chosen) {
    const part = (matrix: Matrix, x: Float64Array): Float64Array =>
      multiply(reference, { ...matrix, row: expert * matrix.n }, x);
    const up = part(options.up, row);
    const gate = options.gate ? part(options.gate, row) : up;
    const inner = gate.map((score, at) => activation(score, options.activation) * (options.gate ? (up[at] ?? 0) : 1));
    const out = part(options.down, inner);
    for (const [at, element] of out.entries()) mixed[at] = (mixed[at] ?? 0) + weight * element;
  }
  return mixed;
}

interface Choice {
  readonly expert: number;
  readonly weight: number;
}

function choose(scores: Float64Array, { used, scoring, normalize, scale = 1 }: ExpertsOptions): Choice[] {
  const ranked = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  const chosen = ranked.slice(0, used);
  const among = scoring === "softmax" ? ranked : chosen;
  const most = Math.max(...scores);
  const of = (expert: number): number => Math.exp((scores[expert] ?? 0) - most);
  const total = scoring === "sigmoid" ? 1 : among.reduce((all, expert) => all + of(expert), 0);
  const weights = chosen.map((expert) =>
    scoring === "sigmoid" ? activate(scores[expert] ?? 0, "sigmoid") : of(expert) / total,
  );
  const divisor = normalize ? weights.reduce((all, weight) => all + weight, 0) : 1;
  return chosen.map((expert, at) => ({ expert, weight: ((weights[at] ?? 0) / divisor) * scale }));
}

/** One row for each sequence, in the order in which they come. */
function meanRows({ rows, values }: Step, x: Value): Rows {
  const sums = new Map<number, { count: number; total: Float64Array }>();
  for (const [index, row] of rowsOf(values, x).entries()) {
    const sequence = rows[index]?.sequence ?? 0;
    const before = sums.get(sequence) ?? { count: 0, total: new Float64Array(row.length) };
    sums.set(sequence, { count: before.count + 1, total: sum(before.total, row) });
  }
  return [...sums.values()].map(({ count, total }) => total.map((element) => element / count));
}
