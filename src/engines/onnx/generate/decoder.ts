/**
 * A decoder in the layout that exporters write: what it remembers of earlier tokens goes in as `past…` and comes out as
 * `present…` (https://huggingface.co/docs/optimum-onnx). Knows nothing of tokens' meaning.
 */
import { HearthError } from "../../../error.ts";
import { elementCount } from "../../../formats/onnx/types.ts";
import { isNumberType, numberTypes } from "../../../formats/tensor.ts";
import type { Tensor } from "../../../formats/tensor.ts";
import type { OnnxSession, Port, Tensors } from "../session.ts";
import { toFloats } from "../values.ts";

/** Keys and values of the tokens so far. Never changed: a step gives a new one. */
export interface Past {
  readonly tensors: Tensors;
  readonly length: number;
}

/** What is new in a step: ids, or rows of embeddings. */
export type Input = { readonly ids: readonly number[] } | { readonly embeddings: Tensor; readonly count: number };

export interface Step {
  readonly input: Input;
  /** [n], or [3, n] of models that count places in pictures in three directions. */
  readonly positions: readonly (readonly number[])[];
  /** Whether the logits of the last token are wanted. */
  readonly answers: boolean;
}

export interface StepResult {
  readonly past: Past;
  /** [vocabulary], of the last token. */
  readonly logits?: Float32Array;
}

export interface Decoder {
  /** Nothing is remembered yet. */
  readonly empty: Past;
  /** Whether it takes embeddings instead of ids. */
  readonly embedded: boolean;
  run(past: Past, step: Step): Promise<StepResult>;
  /** What it remembered when there were only so many tokens; nothing, where it cannot forget some of them. */
  cut(past: Past, length: number): Past;
}

const pastPattern = /^past/;

/** Throws `model_unsupported` for a decoder with an input that is not known here. */
export function createDecoder(session: OnnxSession): Decoder {
  const kept = session.inputs.filter(({ name }) => pastPattern.test(name));
  const others = session.inputs.filter(({ name }) => !pastPattern.test(name));
  const known = new Set(session.outputs.map(({ name }) => name));
  const outputs = kept.map(({ name }) => presentOf(name, known));
  const strange = others.find(({ name }) => !(name in feeders));
  if (strange) {
    throw new HearthError("model_unsupported", `The decoder has an input "${strange.name}", which is not known here.`);
  }
  const empty: Past = { tensors: Object.fromEntries(kept.map((port) => [port.name, emptyTensor(port)])), length: 0 };
  const axes = new Map(kept.map(({ name, shape }) => [name, shape.findIndex(isGrowing)] as const));
  return {
    empty,
    embedded: others.some(({ name }) => name === "inputs_embeds"),
    async run(past, step) {
      const feeds: Record<string, Tensor> = { ...past.tensors };
      for (const port of others) feeds[port.name] = feeders[port.name as keyof typeof feeders](step, past, port);
      const found = await session.run(feeds, step.answers ? ["logits", ...outputs] : outputs);
      const tensors = Object.fromEntries(kept.map(({ name }, at) => [name, need(found, outputs[at] ?? "")]));
      const next = { tensors, length: past.length + countOf(step.input) };
      return step.answers ? { past: next, logits: lastRow(need(found, "logits")) } : { past: next };
    },
    cut(past, length) {
      if (length >= past.length) return past;
      // States of other kinds than keys and values are of all tokens together.
      if (length === 0 || [...axes.values()].some((axis) => axis < 0)) return empty;
      const parts = Object.entries(past.tensors).map(([name, tensor]) => [
        name,
        cutTensor(tensor, axes.get(name) ?? 0, length),
      ]);
      return { tensors: Object.fromEntries(parts) as Tensors, length };
    },
  };
}

type Feed = (step: Step, past: Past, port: Port) => Tensor;

const feeders = {
  input_ids: ({ input }) => integers("ids" in input ? input.ids : [], [1, countOf(input)]),
  inputs_embeds: ({ input }, _, port) => {
    if ("embeddings" in input) return input.embeddings;
    throw new HearthError("internal", `The decoder wants ${port.name}.`);
  },
  attention_mask: ({ input }, { length }) => {
    const total = length + countOf(input);
    return { type: "int64", shape: [1, total], data: new BigInt64Array(total).fill(1n) };
  },
  position_ids: ({ positions }, _, { shape }) => {
    const count = positions[0]?.length ?? 0;
    const flat = positions.flat();
    return integers(flat, shape.length === 3 ? [positions.length, 1, count] : [1, count]);
  },
  cache_position: ({ input }, { length }) =>
    integers(
      Array.from({ length: countOf(input) }, (_, at) => length + at),
      [countOf(input)],
    ),
  num_logits_to_keep: (_, __, { shape }) => integers([1], shape.length === 0 ? [] : [1]),
  use_cache_branch: (_, { length }) => ({ type: "bool", shape: [1], data: Uint8Array.of(length > 0 ? 1 : 0) }),
} satisfies Readonly<Record<string, Feed>>;

function integers(values: readonly number[], shape: readonly number[]): Tensor {
  return { type: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

export function countOf(input: Input): number {
  return "ids" in input ? input.ids.length : input.count;
}

/** `past_key_values.0.key` → `present.0.key`; hybrids say `past_conv.0` and `present_conv.0`. */
function presentOf(name: string, known: ReadonlySet<string>): string {
  const found = [name.replace("past_key_values", "present"), name.replace("past", "present")].find((one) =>
    known.has(one),
  );
  if (found !== undefined) return found;
  throw new HearthError("model_unsupported", `The decoder takes "${name}" and does not give it back.`);
}

/** One sequence with no tokens: the first free dimension is the batch, the others are what grows. */
function emptyTensor({ name, type, shape }: Port): Tensor {
  if (type === undefined || !isNumberType(type)) {
    throw new HearthError("model_unsupported", `The decoder's input "${name}" is no tensor of numbers.`);
  }
  const sizes = shape.map((size, at) => (typeof size === "number" ? size : at === 0 ? 1 : 0));
  return { type, shape: sizes, data: new numberTypes[type](elementCount(sizes)) };
}

function isGrowing(size: Port["shape"][number], axis: number): boolean {
  return axis > 0 && typeof size !== "number";
}

/** The first `length` of an axis. */
function cutTensor({ type, shape, data }: Tensor, axis: number, length: number): Tensor {
  const whole = shape[axis] ?? 0;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const outer = data.length / (whole * inner);
  const made = new numberTypes[type](outer * length * inner);
  for (let row = 0; row < outer; row++) {
    const from = row * whole * inner;
    (made as Float32Array).set(data.subarray(from, from + length * inner) as Float32Array, row * length * inner);
  }
  return { type, shape: shape.with(axis, length), data: made };
}

function need(found: Tensors, name: string): Tensor {
  const tensor = found[name];
  if (tensor) return tensor;
  throw new HearthError("model_unsupported", `The decoder has no output "${name}".`);
}

function lastRow(tensor: Tensor): Float32Array {
  const { shape, data } = toFloats(tensor);
  const width = shape.at(-1) ?? 0;
  return data.subarray(data.length - width);
}
