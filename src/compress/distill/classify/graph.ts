/** Puts a head on the graph of a model of embeddings: pooling, length 1, a matrix, and softmax. */
import { HearthError } from "../../../error.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from "../../../formats/onnx/types.ts";
import type { ModelInfo } from "../../../spec/model.ts";
import { bytesOf, floats, int, node } from "../../onnx/node.ts";
import type { NodeWords } from "../../onnx/node.ts";
import { upgradeModel } from "../../onnx/upgrade.ts";
import type { Head } from "./softmax.ts";

export interface HeadPlace {
  readonly name: string;
  readonly pooling: ModelInfo["pooling"];
}

const results = ["logits", "probabilities"] as const;

/**
 * Takes what the engine takes for an embedding: `sentence_embedding`, else the vectors of the tokens, [batch, tokens, width].
 * Throws `model_unsupported` for a graph that does not say which output that is.
 */
export function addHead(source: OnnxModel, head: Head, place: HeadPlace): OnnxModel {
  // CumSum, with which the last token is found, came with version 11.
  const model = place.pooling === "last" ? upgradeModel(source, 11) : source;
  const { graph } = model;
  const output = findOutput(graph, place.name);
  const builder = new Builder(place.name, graph);
  const vectors = builder.add({ operator: "Cast", inputs: [output.name], attributes: { to: int(1) } });
  const pooled = output.rank === 2 ? vectors : poolTokens(builder, vectors, place);
  const { width, labels, values } = head;
  const normed = normalize(builder, pooled, width);
  const matrix = builder.constant(floats("head_matrix", [width, labels], values.subarray(0, width * labels)));
  const bias = builder.constant(floats("head_bias", [labels], values.subarray(width * labels)));
  const product = builder.add({ operator: "MatMul", inputs: [normed, matrix] });
  const [logits, probabilities] = results;
  builder.add({ operator: "Add", inputs: [product, bias], output: logits });
  builder.add({ operator: "Softmax", inputs: [logits], attributes: { axis: int(1) }, output: probabilities });
  return {
    ...model,
    // From version 4 on an initializer need not be an input.
    irVersion: Math.max(4, model.irVersion),
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...builder.nodes],
      initializers: new Map([...graph.initializers, ...builder.constants]),
      outputs: results.map((name): OnnxValue => ({
        name,
        type: { kind: "tensor", element: "float32", shape: ["batch", labels] },
      })),
    },
  };
}

interface Output {
  readonly name: string;
  readonly rank: number;
}

function findOutput({ outputs }: OnnxGraph, model: string): Output {
  const rankOf = ({ type }: OnnxValue): number | undefined =>
    type?.kind === "tensor" ? type.shape?.length : undefined;
  const named = (name: string): OnnxValue | undefined => outputs.find((output) => output.name === name);
  const sentence = named("sentence_embedding");
  const found =
    sentence && rankOf(sentence) === 2
      ? sentence
      : (named("last_hidden_state") ?? named("token_embeddings") ?? outputs[0]);
  const rank = found && rankOf(found);
  if (found && (rank === 2 || rank === 3)) return { name: found.name, rank };
  const what = found ? `its output ${found.name} has ${rank ?? "an unknown number of"} dimensions` : "it has no output";
  throw unfit(model, what);
}

function unfit(model: string, what: string): HearthError {
  return new HearthError("model_unsupported", `No head fits on ${model}: ${what}.`, {
    hint: "Take another model of embeddings, for example all-minilm:l6-v2-f32.",
  });
}

class Builder {
  readonly nodes: OnnxNode[] = [];
  readonly constants = new Map<string, OnnxTensor>();
  private readonly taken: Set<string>;

  constructor(model: string, { nodes, initializers, inputs }: OnnxGraph) {
    this.taken = new Set([
      ...nodes.flatMap(({ outputs }) => outputs),
      ...initializers.keys(),
      ...inputs.map(({ name }) => name),
    ]);
    const clash = results.find((name) => this.taken.has(name));
    if (clash !== undefined) throw unfit(model, `it has a value ${clash} already`);
  }

  /** Gives the name of what the node makes. */
  add({ output, ...words }: Omit<NodeWords, "outputs"> & { readonly output?: string }): string {
    const name = output ?? this.fresh(`head_${words.operator.toLowerCase()}`);
    this.nodes.push(node({ ...words, outputs: [name] }));
    return name;
  }

  constant(tensor: OnnxTensor): string {
    const name = this.fresh(tensor.name);
    this.constants.set(name, { ...tensor, name });
    return name;
  }

  integers(...values: readonly number[]): string {
    const bytes = bytesOf(BigInt64Array.from(values, BigInt));
    return this.constant({ name: "head_shape", type: "int64", shape: [values.length], data: { kind: "bytes", bytes } });
  }

  has(name: string): boolean {
    return this.taken.has(name);
  }

  private fresh(base: string): string {
    let name = base;
    for (let number = 2; this.taken.has(name); number++) name = `${base}_${number}`;
    this.taken.add(name);
    return name;
  }
}

/** [batch, tokens, width] → [batch, width], with operators that are the same in all versions. */
function poolTokens(builder: Builder, vectors: string, { name, pooling = "mean" }: HeadPlace): string {
  if (pooling === "cls") {
    const first = builder.constant({
      name: "head_first",
      type: "int64",
      shape: [],
      data: { kind: "bytes", bytes: new Uint8Array(8) },
    });
    return builder.add({ operator: "Gather", inputs: [vectors, first], attributes: { axis: int(1) } });
  }
  if (pooling !== "mean" && pooling !== "last") throw unfit(name, `its vectors are pooled by ${pooling}`);
  if (!builder.has("attention_mask")) throw unfit(name, "it has no attention_mask, which says what padding is");
  const mask = builder.add({ operator: "Cast", inputs: ["attention_mask"], attributes: { to: int(1) } });
  const shares = pooling === "mean" ? mask : lastToken(builder, mask);
  const row = builder.add({ operator: "Reshape", inputs: [shares, builder.integers(0, 1, -1)] });
  // A sum in place of a mean: all vectors get the length 1.
  const sum = builder.add({ operator: "MatMul", inputs: [row, vectors] });
  return builder.add({ operator: "Reshape", inputs: [sum, builder.integers(0, -1)] });
}

/** 1 where one token that is no padding is left, counted from the end. */
function lastToken(builder: Builder, mask: string): string {
  const axis = builder.integers(1);
  const left = builder.add({ operator: "CumSum", inputs: [mask, axis], attributes: { reverse: int(1) } });
  const one = builder.constant(floats("head_one", [], Float32Array.of(1)));
  const isLast = builder.add({ operator: "Equal", inputs: [left, one] });
  const number = builder.add({ operator: "Cast", inputs: [isLast], attributes: { to: int(1) } });
  return builder.add({ operator: "Mul", inputs: [number, mask] });
}

function normalize(builder: Builder, vectors: string, width: number): string {
  const squares = builder.add({ operator: "Mul", inputs: [vectors, vectors] });
  const ones = builder.constant(floats("head_ones", [width, 1], new Float32Array(width).fill(1)));
  const sums = builder.add({ operator: "MatMul", inputs: [squares, ones] });
  const lengths = builder.add({ operator: "Sqrt", inputs: [sums] });
  const least = builder.constant(floats("head_least", [], Float32Array.of(1e-12)));
  return builder.add({
    operator: "Div",
    inputs: [vectors, builder.add({ operator: "Max", inputs: [lengths, least] })],
  });
}
