/** The `Graph` that writes down what it is told. */
import type { Layout } from "../weights/layout.ts";
import type {
  Activation,
  AttentionOptions,
  ExpertsOptions,
  LinearOptions,
  Matrix,
  NormOptions,
  RopeOptions,
  RowsGraph,
  Value,
} from "./graph.ts";
import type { AttentionInfo, MatrixAdapter, Observation, Op, Recording, RowSpace, ValueInfo } from "./program.ts";

export interface RecordOptions {
  /** How a matrix will be packed: coded ones want quantized activations. */
  readonly layoutOf: (matrix: Matrix) => Layout;
  /** What adapters add to the matrix of this name. */
  readonly adaptersOf?: (name: string) => readonly MatrixAdapter[];
  /** Whether a matrix gets activations of two times 8 bits: see `docs/decisions/2026-11-25-two-parts.md`. */
  readonly precise?: ((matrix: Matrix) => boolean) | undefined;
  /** Whether to sum up what enters each matrix. */
  readonly observe?: boolean | undefined;
}

/** Records what `build` does. */
export function record(build: (graph: RowsGraph) => void, options: RecordOptions): Recording {
  const recorder = new Recorder(options);
  build(recorder);
  return recorder.recording();
}

class Recorder implements RowsGraph {
  readonly #options: RecordOptions;
  readonly #ops: Op[] = [];
  readonly #values: ValueInfo[] = [];
  readonly #attentions: AttentionInfo[] = [];
  readonly #ropes: RopeOptions[] = [];
  readonly #quantized = new Map<string, number>();
  readonly #gathered = new Map<string, Value>();
  readonly #observations = new Map<string, Observation & { readonly matrices: string[] }>();
  readonly #inputs: number[] = [];
  #result: Recording["result"] | undefined;
  #expertsUsed = 0;
  /** What the last layer handed on. */
  #handed: Value | undefined;
  #layers = 0;

  constructor(options: RecordOptions) {
    this.#options = options;
  }

  recording(): Recording {
    if (!this.#result) throw new Error("the forward pass has no result");
    return {
      ops: this.#ops,
      values: this.#values,
      attentions: this.#attentions,
      ropes: this.#ropes,
      result: this.#result,
      inputs: this.#inputs,
      expertsUsed: this.#expertsUsed,
      observations: [...this.#observations.values()],
    };
  }

  input(width: number): Value {
    const out = this.#value(width, "all");
    this.#inputs.push(out.id);
    this.#ops.push({ kind: "input", out: out.id });
    return out;
  }

  embed(table: Matrix, scale = 1): Value {
    const out = this.#value(table.k, "all");
    this.#ops.push({ kind: "embed", table, out: out.id, scale });
    return out;
  }

  embedPosition(x: Value, table: Matrix): Value {
    const out = this.#like(x);
    this.#ops.push({ kind: "embed-position", x: x.id, table, out: out.id });
    return out;
  }

  embedConstant(x: Value, table: Matrix, row: number): Value {
    const out = this.#like(x);
    this.#ops.push({ kind: "embed-constant", x: x.id, table, row, out: out.id });
    return out;
  }

  norm(x: Value, { kind, ...options }: NormOptions): Value {
    const out = this.#like(x);
    this.#ops.push({ kind: "norm", norm: kind, x: x.id, out: out.id, ...options });
    return out;
  }

  linear(x: Value, weight: Matrix, { bias }: LinearOptions = {}): Value {
    const product = this.#matmul(x, weight);
    if (!bias) return product;
    const out = this.#like(product);
    this.#ops.push({ kind: "bias", x: product.id, bias, out: out.id });
    return out;
  }

  add(a: Value, b: Value): Value {
    const out = this.#like(a);
    this.#ops.push({ kind: "add", a: a.id, b: b.id, out: out.id });
    return out;
  }

  scale(x: Value, factor: number): Value {
    const out = this.#like(x);
    this.#ops.push({ kind: "scale", x: x.id, factor, out: out.id });
    return out;
  }

  gated(gate: Value, up: Value, activation: Activation): Value {
    const out = this.#like(up);
    this.#ops.push({ kind: "gated", gate: gate.id, up: up.id, activation, out: out.id });
    return out;
  }

  activate(x: Value, activation: Activation): Value {
    const out = this.#like(x);
    this.#ops.push({ kind: "activate", x: x.id, activation, out: out.id });
    return out;
  }

  attention(q: Value, k: Value, v: Value, { rope, bidirectional = false, ...options }: AttentionOptions): Value {
    const info: AttentionInfo = { ...options, bidirectional, ...(rope && { rope: this.#ropeIndex(rope) }) };
    const attention = this.#attentions.push(info) - 1;
    const rotated = this.#like(q);
    this.#ops.push({ kind: "rotate-store", q: q.id, k: k.id, v: v.id, out: rotated.id, attention });
    const out = this.#value(options.heads * options.valueWidth, this.#rowsOf(q));
    this.#ops.push({ kind: "attend", q: rotated.id, out: out.id, attention });
    return out;
  }

  experts(x: Value, options: ExpertsOptions): Value {
    this.#expertsUsed = options.used;
    const scores = this.#matmul(x, options.router);
    this.#ops.push({ kind: "route", scores: scores.id, options });
    const slots = this.#rowsOf(x) === "all" ? "slots" : "outputSlots";
    const taken = this.#value(x.width, slots);
    this.#ops.push({ kind: "take-slots", x: x.id, out: taken.id });
    const up = this.#matmul(taken, options.up);
    const middle = options.gate
      ? this.gated(this.#matmul(taken, options.gate), up, options.activation)
      : this.activate(up, options.activation);
    const down = this.#matmul(middle, options.down);
    const out = this.#like(x);
    this.#ops.push({ kind: "mix-slots", x: down.id, used: options.used, out: out.id });
    return out;
  }

  outputRows(x: Value): Value {
    const out = this.#value(x.width, "outputs");
    this.#ops.push({ kind: "take-outputs", x: x.id, out: out.id });
    return out;
  }

  joinRows(x: Value, count: number): Value {
    const out = this.#value(x.width * count, "outputs");
    this.#ops.push({ kind: "join-rows", x: x.id, count, out: out.id });
    return out;
  }

  averageRows(x: Value, count: number): Value {
    const out = this.#value(x.width, "outputs");
    this.#ops.push({ kind: "average-rows", x: x.id, count, out: out.id });
    return out;
  }

  meanRows(x: Value): Value {
    const out = this.#value(x.width, "outputs");
    this.#ops.push({ kind: "mean-rows", x: x.id, out: out.id });
    return out;
  }

  logits(
    x: Value,
    weight: Matrix,
    options: { readonly bias?: LinearOptions["bias"]; readonly scale?: number; readonly softCap?: number } = {},
  ): void {
    let out = this.linear(x, weight, options.bias ? { bias: options.bias } : {});
    if (options.scale !== undefined && options.scale !== 1) out = this.scale(out, options.scale);
    if (options.softCap) {
      const capped = this.#like(out);
      this.#ops.push({ kind: "soft-cap", x: out.id, cap: options.softCap, out: capped.id });
      out = capped;
    }
    this.#result = { kind: "logits", value: out.id };
  }

  betweenLayers(): void {
    if (!this.#options.observe) return;
    const id = this.#values.length - 1;
    const after: Value = { id, width: this.#values[id]?.width ?? 0 };
    const before = this.#handed;
    this.#handed = after;
    if (!before) return;
    // Of the last layer only the rows are there whose output is wanted.
    const from = this.#rowsOf(before) === this.#rowsOf(after) ? before : this.outputRows(before);
    const observation = this.#observations.size;
    const name = `layer.${this.#layers++}`;
    this.#observations.set(name, { k: 1, experts: 1, matrices: [name] });
    this.#ops.push({ kind: "observe-turn", x: id, before: from.id, observation, out: id });
  }

  hidden(x: Value): void {
    this.#result = { kind: "hidden", value: x.id };
  }

  #matmul(x: Value, weight: Matrix): Value {
    const gathered = this.#gather(x, weight);
    if (this.#options.observe) this.#observe(gathered, weight);
    const operand = this.#operand(gathered, weight);
    const { parts = 1 } = this.#values[operand] ?? {};
    const product = this.#value(weight.n, this.#rowsOf(x), { parts });
    this.#ops.push({ kind: "matmul", x: operand, weight, out: product.id });
    return this.#adapt(x, weight, parts === 1 ? product : this.#addParts(product));
  }

  #addParts(x: Value): Value {
    const out = this.#like(x);
    this.#ops.push({ kind: "add-parts", x: x.id, out: out.id });
    return out;
  }

  /** Matrices that one value enters share what is summed up of it. */
  #observe(x: Value, { name, k, experts = 1 }: Matrix): void {
    const key = `${x.id} ${experts}`;
    const known = this.#observations.get(key);
    if (known?.matrices.includes(name)) return;
    if (known) return void known.matrices.push(name);
    const observation = this.#observations.size;
    this.#observations.set(key, { k, experts, matrices: [name] });
    this.#ops.push({ kind: "observe", x: x.id, observation, out: x.id });
  }

  /** A is multiplied beside the matrix itself; B, which waits for it, row by row. */
  #adapt(x: Value, weight: Matrix, product: Value): Value {
    const adapters = this.#options.adaptersOf?.(weight.name) ?? [];
    if (adapters.length === 0) return product;
    const parts = adapters.map(({ adapter, a, b, factor }) => {
      const low = this.#value(a.n, this.#rowsOf(x));
      this.#ops.push({ kind: "matmul", x: this.#operand(x, a), weight: a, out: low.id, adapter });
      const used = weight.row === undefined ? b : { ...b, row: weight.row, n: weight.n };
      return { adapter, low: low.id, b: used, factor };
    });
    const out = this.#like(product);
    this.#ops.push({ kind: "adapt", x: product.id, parts, out: out.id });
    return out;
  }

  /** The value in the order of the columns, made once for all parts of a matrix. */
  #gather(x: Value, { columns }: Matrix): Value {
    if (!columns) return x;
    const key = `${columns.name} ${x.id}`;
    const known = this.#gathered.get(key);
    if (known) return known;
    const out = this.#like(x);
    this.#ops.push({ kind: "gather", x: x.id, columns, out: out.id });
    this.#gathered.set(key, out);
    return out;
  }

  /** What the matrix multiplies: the value, or its quantized form, made once. */
  #operand(x: Value, weight: Matrix): number {
    const form = this.#options.layoutOf(weight).kind;
    if (form === "float") return x.id;
    const parts = form === "coded" && this.#options.precise?.(weight) ? 2 : 1;
    const key = `${form} ${parts} ${x.id}`;
    const known = this.#quantized.get(key);
    if (known !== undefined) return known;
    const out = this.#value(x.width, this.#rowsOf(x), { form, parts });
    this.#ops.push({ kind: "quantize", form, x: x.id, out: out.id });
    this.#quantized.set(key, out.id);
    return out.id;
  }

  #ropeIndex(rope: RopeOptions): number {
    const key = JSON.stringify(rope);
    const known = this.#ropes.findIndex((one) => JSON.stringify(one) === key);
    return known >= 0 ? known : this.#ropes.push(rope) - 1;
  }

  #rowsOf(x: Value): RowSpace {
    return this.#values[x.id]?.rows ?? "all";
  }

  #like(x: Value): Value {
    return this.#value(x.width, this.#rowsOf(x));
  }

  #value(width: number, rows: RowSpace, more: Partial<ValueInfo> = {}): Value {
    return { id: this.#values.push({ width, rows, form: "float", ...more }) - 1, width };
  }
}
