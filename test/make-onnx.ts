// Small ONNX models for tests, from a seed.
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from "../src/formats/onnx/types.ts";
import { randomNormal } from "./make-weights.ts";

export function onnxModel(graph: Partial<OnnxGraph>, own: Partial<OnnxModel> = {}): OnnxModel {
  return {
    irVersion: 8,
    producer: { name: "test", version: "1" },
    domain: "",
    version: 0n,
    documentation: "",
    opsets: new Map([["", 17]]),
    metadata: new Map(),
    functions: [],
    ...own,
    graph: {
      name: "graph",
      nodes: [],
      initializers: new Map(),
      sparseInitializers: [],
      inputs: [],
      outputs: [],
      values: [],
      ...graph,
    },
  };
}

interface NodeWords {
  readonly domain?: string;
  readonly attributes?: OnnxNode["attributes"];
}

export function onnxNode(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  { domain = "", attributes = new Map() }: NodeWords = {},
): OnnxNode {
  return { name: `${operator}_${outputs[0] ?? ""}`, operator, domain, overload: "", inputs, outputs, attributes };
}

export function onnxFloats(name: string, shape: readonly number[], values: Float32Array): OnnxTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, type: "float32", shape, data: { kind: "bytes", bytes } };
}

export function onnxIntegers(name: string, values: readonly number[]): OnnxTensor {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name, type: "int64", shape: [values.length], data: { kind: "bytes", bytes } };
}

export function onnxValue(name: string, shape: readonly (number | string)[]): OnnxValue {
  return { name, type: { kind: "tensor", element: "float32", shape } };
}

export function tensorMap(...tensors: readonly OnnxTensor[]): ReadonlyMap<string, OnnxTensor> {
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

/** x [batch, 64] · w1 [64, 48] + b1, ReLU, then Gemm with w2 [10, 48] and b2. */
export function tinyPerceptron(): OnnxModel {
  const next = randomNormal(1);
  const random = (count: number): Float32Array => Float32Array.from({ length: count }, next);
  return onnxModel({
    nodes: [
      onnxNode("MatMul", ["x", "w1"], ["h1"]),
      onnxNode("Add", ["h1", "b1"], ["h2"]),
      onnxNode("Relu", ["h2"], ["h3"]),
      onnxNode("Gemm", ["h3", "w2", "b2"], ["y"], { attributes: new Map([["transB", { kind: "int", value: 1n }]]) }),
    ],
    initializers: tensorMap(
      onnxFloats("w1", [64, 48], random(64 * 48)),
      onnxFloats("b1", [48], random(48)),
      onnxFloats("w2", [32, 48], random(32 * 48)),
      onnxFloats("b2", [32], random(32)),
    ),
    inputs: [onnxValue("x", ["batch", 64])],
    outputs: [onnxValue("y", ["batch", 32])],
  });
}
