/** Takes the steps of a model, one after the other, each with all tokens of the text. */
import { frequenciesOf } from "../../engines/flint/graph/rope-table.ts";
import type { Frequencies } from "../../engines/flint/graph/rope-table.ts";
import type { RopeOptions, Value } from "../../engines/flint/graph/graph.ts";
import type { Pool } from "./pool.ts";
import type { Tensors } from "./tensors.ts";
import type { LinearStep, Step, Trace } from "./trace.ts";
import { lastUses } from "./trace.ts";
import type { EachPiece, Piece } from "./work.ts";
import { cut } from "./work.ts";

/** What is done with the matrices as the text goes through. */
export interface Visitor {
  /** Gets what enters a matrix, [tokens][k]; gives the weights with which the text goes on, [n][k]. */
  linear(step: LinearStep, x: Float32Array): Promise<Float32Array>;
  /** After the steps of a layer. */
  layer?(index: number, steps: readonly Step[]): Promise<void>;
}

export interface Forward {
  readonly trace: Trace;
  /** Tokens of the windows, all of one length. */
  readonly windows: readonly (readonly number[])[];
  readonly tensors: Tensors;
  readonly pool: Pool;
  readonly visitor: Visitor;
}

/** Rows of a piece. */
const linearRows = 256;
const normedRows = 512;
const eachElements = 262_144;

export async function runForward(forward: Forward): Promise<void> {
  const { trace, visitor } = forward;
  const uses = lastUses(trace);
  const values = new Map<number, Float32Array>();
  for (const [index, steps] of trace.layers.entries()) {
    for (const step of steps) {
      values.set(
        step.out.id,
        await take(
          step,
          step.inputs.map((input) => valueOf(values, input)),
          forward,
        ),
      );
      // The last matrix has no use for what it makes.
      const made = uses.has(step.out.id) ? [] : [step.out];
      for (const { id } of [...step.inputs, ...made]) {
        if (uses.has(id) && uses.get(id) !== step) continue;
        const value = values.get(id);
        values.delete(id);
        if (value) forward.pool.arena.release(value);
      }
    }
    await visitor.layer?.(index, steps);
  }
}

function valueOf(values: ReadonlyMap<number, Float32Array>, { id }: Value): Float32Array {
  const value = values.get(id);
  if (!value) throw new RangeError(`no value ${id}`);
  return value;
}

async function take(step: Step, inputs: readonly Float32Array[], forward: Forward): Promise<Float32Array> {
  const { windows, tensors, pool } = forward;
  const size = windows[0]?.length ?? 0;
  const rows = windows.length * size;
  const { width } = step.out;
  const [a, b] = inputs;
  if (step.kind === "embed") return embed(step, forward);
  if (!a) throw new RangeError("a step without input");
  if (step.kind === "linear") return await multiply(step, a, forward);
  const y = pool.arena.floats(rows * width);
  const each = (apply: EachPiece["apply"]): readonly Piece[] =>
    cut(y.length, eachElements).map((range) => ({ kind: "each", apply, a, b, y, ...range }));
  switch (step.kind) {
    case "norm": {
      const { kind: norm, epsilon, weight, bias, headWidth: part = width } = step.options;
      const vectors = { weight: weight && tensors.vector(weight), bias: bias && tensors.vector(bias) };
      const rest = { kind: "norm", x: a, y, width, part, norm, epsilon, ...vectors } as const;
      await pool.run(cut(rows, normedRows).map((range) => ({ ...rest, ...range })));
      return y;
    }
    case "add":
      await pool.run(each({ kind: "add" }));
      return y;
    case "scale":
      await pool.run(each({ kind: "scale", factor: step.factor }));
      return y;
    case "activate":
      await pool.run(each({ kind: "activate", activation: step.activation }));
      return y;
    case "gated": {
      const narrow = step.inputs[0]?.width === width ? undefined : width;
      await pool.run(each({ kind: "gated", activation: step.activation, narrow }));
      return y;
    }
    case "attention": {
      const { options } = step;
      const [q, k, v] = inputs as [Float32Array, Float32Array, Float32Array];
      const frequencies = options.rope && ropeFrequencies(options.rope, tensors);
      const rest = { kind: "attention", q, k, v, y, options, frequencies, tokens: size } as const;
      await pool.run(
        windows.flatMap((_, window) =>
          Array.from({ length: options.keyHeads }, (_each, keyHead) => ({ ...rest, keyHead, first: window * size })),
        ),
      );
      return y;
    }
  }
}

function embed({ table, factor }: Extract<Step, { kind: "embed" }>, { windows, tensors, pool }: Forward): Float32Array {
  const tokens = windows.flat();
  const y = pool.arena.floats(tokens.length * table.k);
  const known = new Map<number, Float32Array>();
  for (const [row, token] of tokens.entries()) {
    const vector = known.get(token) ?? Float32Array.from(tensors.rows(table, token, 1), (element) => element * factor);
    known.set(token, vector);
    y.set(vector, row * table.k);
  }
  return y;
}

async function multiply(step: LinearStep, x: Float32Array, { visitor, tensors, pool }: Forward): Promise<Float32Array> {
  const { weight, bias } = step;
  const { k, n } = weight;
  const { arena } = pool;
  const given = await visitor.linear(step, x);
  const weights = arena.floats(given.length);
  transpose(given, weights, k);
  arena.release(given);
  const rows = x.length / k;
  const y = arena.floats(rows * n);
  const rest = { kind: "linear", x, y, k, n, weights, bias: bias && tensors.vector(bias) } as const;
  await pool.run(cut(rows, linearRows).map((range) => ({ ...rest, ...range })));
  arena.release(weights);
  return y;
}

/** [n][k] → [k][n] */
function transpose(weights: Float32Array, turned: Float32Array, k: number): void {
  const n = weights.length / k;
  for (let start = 0; start < k; start += 16) {
    const end = Math.min(k, start + 16);
    for (let row = 0; row < n; row++) {
      for (let i = start; i < end; i++) turned[i * n + row] = weights[row * k + i]!;
    }
  }
}

function ropeFrequencies(rope: RopeOptions, tensors: Tensors): Frequencies {
  return frequenciesOf({ ...rope, table: 0 }, rope.factors && tensors.vector(rope.factors));
}
