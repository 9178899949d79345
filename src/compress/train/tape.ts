/**
 * A forward pass as a list of operations that can be run backwards: an architecture of flint is written down by the calls
 * that it makes, so whatever is built of these operations can be trained.
 */
import type { Architecture } from "../../engines/flint/architectures/architecture.ts";
import type { Hyperparameters } from "../../engines/flint/architectures/hyperparameters.ts";
import type { Graph, Matrix, RopeOptions, Value, Vector } from "../../engines/flint/graph/graph.ts";
import { HearthError } from "../../error.ts";

export interface Embed {
  readonly kind: "embed";
  readonly out: Value;
  readonly table: Matrix;
  readonly factor: number;
}

export interface Norm {
  readonly kind: "norm";
  readonly x: Value;
  readonly out: Value;
  readonly weight: Vector;
  readonly epsilon: number;
  /** Numbers that are divided by their root mean square: a row, or a head. */
  readonly width: number;
}

export interface Linear {
  readonly kind: "linear";
  readonly x: Value;
  readonly out: Value;
  readonly matrix: Matrix;
  readonly bias?: Vector;
}

export interface Add {
  readonly kind: "add";
  readonly a: Value;
  readonly b: Value;
  readonly out: Value;
}

export interface Scale {
  readonly kind: "scale";
  readonly x: Value;
  readonly out: Value;
  readonly factor: number;
}

/** silu(gate) · up */
export interface Gated {
  readonly kind: "gated";
  readonly gate: Value;
  readonly up: Value;
  readonly out: Value;
}

export interface Attention {
  readonly kind: "attention";
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly out: Value;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  readonly valueWidth: number;
  readonly scale: number;
  readonly rope?: RopeOptions;
}

export interface Logits {
  readonly kind: "logits";
  readonly x: Value;
  readonly matrix: Matrix;
  readonly factor: number;
}

export type Operation = Embed | Norm | Linear | Add | Scale | Gated | Attention | Logits;

export interface Tape {
  readonly operations: readonly Operation[];
  readonly values: readonly Value[];
}

export interface TapeOptions {
  /** What messages call the model. */
  readonly name: string;
  /** Tokens of a pass. */
  readonly rows: number;
}

/** Throws `model_unsupported` for a model with operations that cannot be run backwards here. */
export function recordTape(architecture: Architecture, model: Hyperparameters, options: TapeOptions): Tape {
  const operations: Operation[] = [];
  const values: Value[] = [];
  architecture.build(createGraph({ operations, values, ...options }), model);
  return { operations, values };
}

interface Recording extends TapeOptions {
  readonly operations: Operation[];
  readonly values: Value[];
}

function createGraph({ operations, values, name, rows }: Recording): Graph {
  const value = (width: number): Value => {
    const made = { id: values.length, width };
    values.push(made);
    return made;
  };
  const record = (operation: Operation & { readonly out: Value }): Value => {
    operations.push(operation);
    return operation.out;
  };
  const refuse = (what: string): never => {
    throw new HearthError("model_unsupported", `${name} has ${what}, which cannot be trained here.`, {
      hint: "Train a model of the llama, Qwen2 or Qwen3 families, dense, with RMS norms and SwiGLU.",
    });
  };
  return {
    embed: (table, factor = 1) => record({ kind: "embed", out: value(table.k), table, factor }),
    embedPosition: () => refuse("a table of positions"),
    embedConstant: () => refuse("token types"),
    norm(x, { kind, epsilon, weight, bias, headWidth = x.width }) {
      if (kind !== "rms" || !weight || bias) return refuse("layer norms");
      if (weight.length !== headWidth) return refuse("norms of heads with weights of their own");
      return record({ kind: "norm", x, out: value(x.width), weight, epsilon, width: headWidth });
    },
    linear(x, matrix, { bias } = {}) {
      if (matrix.columns) return refuse("matrices whose columns are in another order");
      return record({ kind: "linear", x, out: value(matrix.n), matrix, ...(bias && { bias }) });
    },
    add: (a, b) => record({ kind: "add", a, b, out: value(a.width) }),
    scale: (x, factor) => record({ kind: "scale", x, out: value(x.width), factor }),
    gated(gate, up, activation) {
      if (activation !== "silu" || gate.width !== up.width) return refuse(`gates with ${activation}`);
      return record({ kind: "gated", gate, up, out: value(up.width) });
    },
    activate: (...given) => refuse(`a feed-forward part with ${given[1]}`),
    attention(q, k, v, { softCap, bidirectional, window = rows, ...options }) {
      if (softCap !== undefined) return refuse("scores of attention with a cap");
      if (bidirectional) return refuse("attention in both directions");
      if (window < rows) return refuse(`a window of ${window} tokens, fewer than the ${rows} of a piece of text`);
      return record({ kind: "attention", q, k, v, out: value(options.heads * options.valueWidth), ...options });
    },
    experts: () => refuse("experts"),
    outputRows: (x) => x,
    meanRows: () => refuse("one vector for a whole text"),
    logits(x, matrix, { bias, scale = 1, softCap } = {}) {
      if (bias || softCap !== undefined) refuse("logits with a bias or a cap");
      operations.push({ kind: "logits", x, matrix, factor: scale });
    },
    hidden: () => refuse("hidden states for a result"),
  };
}

/** What an operation reads. */
export function inputsOf(operation: Operation): readonly Value[] {
  switch (operation.kind) {
    case "embed":
      return [];
    case "add":
      return [operation.a, operation.b];
    case "gated":
      return [operation.gate, operation.up];
    case "attention":
      return [operation.q, operation.k, operation.v];
    default:
      return [operation.x];
  }
}

/** What it reads again when it is run backwards. */
export function keptOf(operation: Operation): readonly Value[] {
  return operation.kind === "add" || operation.kind === "scale" ? [] : inputsOf(operation);
}

export function outputOf(operation: Operation): Value | undefined {
  return operation.kind === "logits" ? undefined : operation.out;
}
