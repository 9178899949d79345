/** The forward pass of a model as a list of steps that can be taken one at a time, each with all tokens of a text. */
import type {
  Activation,
  AttentionOptions,
  Graph,
  LinearOptions,
  Matrix,
  NormOptions,
  Value,
  Vector,
} from "../../engines/flint/graph/graph.ts";
import { HearthError } from "../../error.ts";

interface Made {
  /** The value that comes out, and those that go in. */
  readonly out: Value;
  readonly inputs: readonly Value[];
}

export type Step = Made &
  (
    | { readonly kind: "embed"; readonly table: Matrix; readonly factor: number }
    | { readonly kind: "norm"; readonly options: NormOptions }
    | { readonly kind: "linear"; readonly weight: Matrix; readonly bias: Vector | undefined }
    | { readonly kind: "add" }
    | { readonly kind: "scale"; readonly factor: number }
    | { readonly kind: "gated"; readonly activation: Activation }
    | { readonly kind: "activate"; readonly activation: Activation }
    | { readonly kind: "attention"; readonly options: AttentionOptions }
  );

export type LinearStep = Extract<Step, { kind: "linear" }>;

export interface Trace {
  /** The steps of each layer; those in front of the first one belong to it. What follows the last matrix is left out. */
  readonly layers: readonly (readonly Step[])[];
}

/**
 * Throws `model_unsupported` for models whose matrices are not all reached by every token (experts), and for encoders.
 */
export function traceModel(name: string, build: (graph: Graph) => void): Trace {
  const steps: Step[] = [];
  const ends: number[] = [];
  const value = (width: number): Value => ({ id: steps.length, width });
  const push = (step: Step): Value => {
    steps.push(step);
    return step.out;
  };
  const refuse = (what: string): never => {
    throw new HearthError(
      "model_unsupported",
      `${name} ${what}; GPTQ and AWQ are made of dense models that write text.`,
      {
        hint: "Quantize it to GGUF: `hearth quantize MODEL --type q4_k_m`.",
      },
    );
  };
  const graph: Graph = {
    embed: (table, factor = 1) => push({ kind: "embed", table, factor, inputs: [], out: value(table.k) }),
    embedPosition: () => refuse("has learned positions"),
    embedConstant: () => refuse("has kinds of tokens"),
    norm: (x, options) => push({ kind: "norm", options, inputs: [x], out: value(x.width) }),
    linear: (x, weight, { bias }: LinearOptions = {}) =>
      push({ kind: "linear", weight, bias, inputs: [x], out: value(weight.n) }),
    add: (a, b) => push({ kind: "add", inputs: [a, b], out: value(a.width) }),
    scale: (x, factor) => push({ kind: "scale", factor, inputs: [x], out: value(x.width) }),
    gated: (gate, up, activation) => push({ kind: "gated", activation, inputs: [gate, up], out: value(up.width) }),
    activate: (x, activation) => push({ kind: "activate", activation, inputs: [x], out: value(x.width) }),
    attention: (q, k, v, options) =>
      push({ kind: "attention", options, inputs: [q, k, v], out: value(options.heads * options.valueWidth) }),
    experts: () => refuse("has experts"),
    // All rows go on: the last layer's matrices see as many as the others'.
    outputRows: (x) => x,
    meanRows: () => refuse("makes embeddings"),
    logits: () => undefined,
    hidden: () => refuse("makes embeddings"),
    betweenLayers: () => void ends.push(steps.length),
  };
  build(graph);
  const last = steps.findLastIndex(({ kind }) => kind === "linear");
  const bounds = ends.slice(1).map((end) => Math.min(end, last + 1));
  return { layers: bounds.map((end, layer) => steps.slice(layer === 0 ? 0 : bounds[layer - 1], end)) };
}

/** By the number of a value the number of the last step, over all layers, that takes it. */
export function lastUses({ layers }: Trace): ReadonlyMap<number, Step> {
  return new Map(layers.flat().flatMap((step) => step.inputs.map(({ id }) => [id, step] as const)));
}
