import { expect, test } from "vitest";
import {
  onnxFloats,
  onnxIntegers,
  onnxModel,
  onnxNode,
  onnxValue,
  tensorMap,
  tinyPerceptron,
} from "../../../test/make-onnx.ts";
import { randomUniform } from "../../../test/make-weights.ts";
import { HearthError } from "../../error.ts";
import { memorySource } from "../protobuf/source.ts";
import { tensorBytes } from "./data.ts";
import { onnxBytes } from "./encode.ts";
import { parseOnnx } from "./parse.ts";
import { allTensors } from "./read.ts";
import type { OnnxModel } from "./types.ts";

/** All kinds of parts that a file can have. */
function rich(): OnnxModel {
  const branch = onnxModel({
    nodes: [onnxNode("Identity", ["x"], ["inner"])],
    initializers: tensorMap(onnxFloats("c", [2], Float32Array.of(1, 2))),
    outputs: [onnxValue("inner", ["n"])],
  }).graph;
  const model = onnxModel({
    nodes: [
      onnxNode("Constant", [], ["k"], {
        attributes: new Map([["value", { kind: "tensor", value: onnxIntegers("v", [1, 2, 3]) }]]),
      }),
      onnxNode("If", ["x"], ["t"], { attributes: new Map([["then_branch", { kind: "graph", value: branch }]]) }),
      onnxNode("Slice", ["t", "k"], ["u"], {
        attributes: new Map([
          ["axes", { kind: "ints", value: [0n, -1n] }],
          ["scales", { kind: "floats", value: [1, 2] }],
          ["words", { kind: "strings", value: [Uint8Array.of(97)] }],
        ]),
      }),
      onnxNode("Call", ["u"], ["y"], { domain: "own" }),
    ],
    sparseInitializers: [
      { values: onnxFloats("s", [2], Float32Array.of(1, 2)), indices: onnxIntegers("i", [0, 3]), shape: [4] },
    ],
    inputs: [
      onnxValue("x", ["n"]),
      { name: "q", type: { kind: "sequence", of: { kind: "tensor", element: "int64", shape: [undefined, 3] } } },
    ],
    outputs: [onnxValue("y", ["n"])],
    values: [{ name: "t", type: { kind: "map", key: "int64", of: { kind: "tensor", element: "float32" } } }],
  });
  const body = [onnxNode("Relu", ["a"], ["b"])];
  const words = { domain: "own", name: "Call", overload: "", inputs: ["a"], outputs: ["b"], attributes: ["alpha"] };
  const functions = [{ ...words, defaults: new Map(), nodes: body, values: [], opsets: new Map([["", 17]]) }];
  return { ...model, functions, metadata: new Map([["key", "value"]]) };
}

const telling = [0, 1, 2, 7, 8, 10, 18, 26, 34, 58, 66, 74, 127, 128, 255] as const;

/** Damages a copy: bits, lengths and tags, and whole ranges. */
function mutate(bytes: Uint8Array, uniform: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(uniform() * limit);
  const copy = bytes.slice();
  if (uniform() < 0.15) return copy.slice(0, below(copy.length));
  for (let round = 0; round < 1 + below(4); round++) {
    const at = below(copy.length);
    const kind = below(4);
    if (kind === 0) copy[at] = copy[at]! ^ (1 << below(8));
    else if (kind === 1) copy[at] = telling[below(telling.length)] ?? 0;
    else if (kind === 2) copy.fill(255, at, at + 1 + below(10));
    else copy.copyWithin(at, below(copy.length), below(copy.length));
  }
  return copy;
}

/** Memory that scripts hold, in bytes. */
function held(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

type Outcome = "accepted" | "model_malformed" | "model_unsupported";

/** Throws anything that is not one of the two errors, and an error that does not say where it is. */
function outcome(bytes: Uint8Array): Outcome {
  try {
    const model = parseOnnx(memorySource(bytes), { name: "m.onnx" });
    for (const tensor of allTensors(model)) {
      if (tensor.data.kind !== "file" && tensor.data.kind !== "varints") continue;
      tensorBytes(tensor, ({ offset }, target) => target.set(bytes.subarray(offset, offset + target.length)));
    }
    return "accepted";
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    const { code, details } = error;
    if ((code !== "model_malformed" && code !== "model_unsupported") || !details["field"]) throw error;
    return code;
  }
}

test("1,000 damaged files are each refused with a typed error or read, without a large allocation", async () => {
  const outcomes = { accepted: 0, model_malformed: 0, model_unsupported: 0 };
  const small = tinyPerceptron();
  // Weights are most of a real file, and damage to them is nothing to see: here they are few.
  const initializers = tensorMap(...[...small.graph.initializers.values()].filter(({ shape }) => shape.length === 1));
  const { graph } = small;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => (name[0] === "w" ? "b1" : name)),
  }));
  const uniform = randomUniform(11);
  for (const model of [rich(), { ...small, graph: { ...graph, nodes, initializers } }]) {
    const bytes = await onnxBytes(model);
    expect(outcome(bytes)).toBe("accepted");
    for (let count = 0; count < 500; count++) {
      const mutant = mutate(bytes, uniform);
      const before = held();
      outcomes[outcome(mutant)]++;
      expect(held() - before).toBeLessThan(16 * 1024 ** 2);
    }
  }
  expect(outcomes.accepted + outcomes.model_malformed + outcomes.model_unsupported).toBe(1000);
  // All three really happen: the mutants are neither all harmless nor all hopeless.
  expect(outcomes.accepted).toBeGreaterThan(50);
  expect(outcomes.model_malformed).toBeGreaterThan(500);
  expect(outcomes.model_unsupported).toBeGreaterThan(0);
}, 4000);
