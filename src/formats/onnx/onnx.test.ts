import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  onnxFloats,
  onnxIntegers,
  onnxModel,
  onnxNode,
  onnxValue,
  tensorMap,
  tinyPerceptron,
} from "../../../test/make-onnx.ts";
import { Message } from "../protobuf/message.ts";
import { memorySource } from "../protobuf/source.ts";
import { tensorFloats, tensorIntegers } from "./data.ts";
import type { ReadData } from "./data.ts";
import { encodeOnnx, onnxBytes } from "./encode.ts";
import { parseOnnx } from "./parse.ts";
import { openOnnx, readOnnx } from "./read.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxTensor, TensorData } from "./types.ts";

const parse = (bytes: Uint8Array, allowDomains: readonly string[] = []): OnnxModel =>
  parseOnnx(memorySource(bytes), { name: "m.onnx", allowDomains });

const write = async (model: OnnxModel): Promise<OnnxModel> => parse(await onnxBytes(model));

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "hearth-onnx-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** One node over x, and what the test wants to change. */
function identity(own: Partial<OnnxGraph> = {}): OnnxModel {
  return onnxModel({
    nodes: [onnxNode("Identity", ["x"], ["y"])],
    inputs: [onnxValue("x", [1])],
    outputs: [onnxValue("y", [1])],
    ...own,
  });
}

describe("a model that was written", () => {
  test("reads back: nodes, types, names of sizes, operators and metadata", async () => {
    const made = {
      ...tinyPerceptron(),
      metadata: new Map([["task", "embed"]]),
      version: -3n,
      documentation: "A test.",
    };
    const { graph, ...rest } = await write(made);
    expect({ ...rest }).toEqual({ ...made, graph: undefined, ...rest });
    expect(rest.metadata).toEqual(made.metadata);
    expect(rest.version).toBe(-3n);
    expect(graph.nodes).toEqual(made.graph.nodes);
    expect(graph.inputs).toEqual(made.graph.inputs);
    expect(graph.outputs).toEqual(made.graph.outputs);
    expect([...graph.initializers.keys()]).toEqual([...made.graph.initializers.keys()]);
  });

  test("gives the elements of its tensors, which it does not copy before", async () => {
    const bytes = await onnxBytes(tinyPerceptron());
    const { graph } = parse(bytes);
    const read: ReadData = ({ offset }, target) => target.set(bytes.subarray(offset, offset + target.length));
    const weight = graph.initializers.get("w1") as OnnxTensor;
    expect(weight.data.kind).toBe("file");
    const made = tinyPerceptron().graph.initializers.get("w1") as OnnxTensor;
    expect(tensorFloats(weight, read)).toEqual(tensorFloats(made, read));
  });

  test("keeps attributes of every kind", async () => {
    const tensor = onnxFloats("t", [2], Float32Array.of(1, 2));
    const inner = identity({ inputs: [], nodes: [onnxNode("Identity", ["x"], ["z"])], outputs: [onnxValue("z", [1])] });
    const attributes = new Map<string, OnnxAttribute>([
      ["a", { kind: "float", value: 0.5 }],
      ["b", { kind: "int", value: -(2n ** 63n) }],
      ["c", { kind: "string", value: Uint8Array.of(104, 105) }],
      ["d", { kind: "floats", value: [1, -2] }],
      ["e", { kind: "ints", value: [1n, -1n, 2n ** 62n] }],
      ["f", { kind: "strings", value: [Uint8Array.of(1), Uint8Array.of()] }],
      ["g", { kind: "graph", value: inner.graph }],
      ["h", { kind: "type", value: { kind: "sequence", of: { kind: "tensor", element: "float16" } } }],
      ["i", { kind: "types", value: [{ kind: "map", key: "string", of: { kind: "tensor", element: "int64" } }] }],
      ["j", { kind: "tensor", value: tensor }],
    ]);
    const { graph } = await write(identity({ nodes: [onnxNode("If", ["x"], ["y"], { attributes })] }));
    const read = graph.nodes[0]?.attributes ?? new Map<string, OnnxAttribute>();
    const plain = (map: ReadonlyMap<string, OnnxAttribute>) => [...map].filter(([name]) => name !== "j");
    expect(plain(read)).toEqual(plain(attributes));
    expect(read.get("j")).toMatchObject({ kind: "tensor", value: { type: "float32", shape: [2] } });
  });

  test("is streamed: elements are made one tensor after the other, when they are written", async () => {
    let made = 0;
    const lazy: TensorData = {
      kind: "lazy",
      bytes: {
        length: 2 ** 20,
        write: async (sink) => {
          made++;
          for (let piece = 0; piece < 16; piece++) await sink(new Uint8Array(2 ** 16).fill(piece));
        },
      },
    };
    const model = identity({ initializers: tensorMap({ name: "w", type: "uint8", shape: [2 ** 20], data: lazy }) });
    expect(encodeOnnx(model).sizeBytes).toBeGreaterThan(2 ** 20);
    expect(made).toBe(0);
    expect(parse(await onnxBytes(model)).graph.initializers.get("w")?.data).toMatchObject({ length: 2 ** 20 });
    expect(made).toBe(1);
  });
});

describe("elements that other programs write in other ways", () => {
  const tensorOf = (build: (message: Message) => Message): { bytes: Uint8Array; tensor: OnnxTensor } => {
    const bytes = fileWith(build(new Message().text(8, "w")));
    return { bytes, tensor: parse(bytes).graph.initializers.get("w") as OnnxTensor };
  };
  /** Without the tags, each of one byte. */
  const packed = (...values: readonly bigint[]): Uint8Array =>
    Buffer.concat(values.map((value) => (new Message().integer(1, value).pieces()[0] as Uint8Array).subarray(1)));

  test("varints", () => {
    const values = [-1n, 5n, 2n ** 40n];
    const { bytes, tensor } = tensorOf((message) =>
      message
        .integer(1, 3)
        .integer(2, 7)
        .bytes(7, packed(...values)),
    );
    const read: ReadData = ({ offset }, target) => target.set(bytes.subarray(offset, offset + target.length));
    expect(tensorIntegers(tensor, read)).toEqual(values.map(Number));
  });

  test("fewer varints than elements are found when they are read", () => {
    const { bytes, tensor } = tensorOf((message) =>
      message
        .integer(1, 3)
        .integer(2, 7)
        .bytes(7, packed(2n ** 40n)),
    );
    const read: ReadData = ({ offset }, target) => target.set(bytes.subarray(offset, offset + target.length));
    expect(() => tensorIntegers(tensor, read)).toThrow(/not as many as the shape says/);
  });

  test.each([
    ["too few bytes", (message: Message) => message.integer(1, 3).integer(2, 1).bytes(9, new Uint8Array(8)), /8 bytes/],
    [
      "elements twice",
      (m: Message) => m.integer(1, 1).integer(2, 1).bytes(9, new Uint8Array(4)).bytes(9, new Uint8Array(4)),
      /several pieces/,
    ],
    [
      "another field",
      (m: Message) => m.integer(1, 1).integer(2, 1).bytes(10, new Uint8Array(8)),
      /not meant for float32/,
    ],
    ["an unknown type", (m: Message) => m.integer(1, 1).integer(2, 99).bytes(9, new Uint8Array(4)), /unknown type 99/],
    ["a negative size", (m: Message) => m.integer(1, -1).integer(2, 1), /dimension of -1/],
    [
      "a huge shape",
      (m: Message) =>
        m
          .integer(1, 2 ** 30)
          .integer(1, 2 ** 30)
          .integer(2, 1),
      /more than/,
    ],
    ["nothing", (m: Message) => m.integer(1, 4).integer(2, 1), /no elements/],
  ])("%s is refused", (_name, build, message) => {
    expect(() => tensorOf(build)).toThrow(message);
  });
});

const nested = (depth: number): OnnxGraph => {
  const attributes = new Map<string, OnnxAttribute>();
  if (depth > 0) attributes.set("then_branch", { kind: "graph", value: nested(depth - 1) });
  return identity({ inputs: [], nodes: [onnxNode("If", ["x"], [`y${depth}`], { attributes })], outputs: [] }).graph;
};

const callee = (name: string, ...calls: readonly string[]): OnnxModel["functions"][number] => ({
  domain: "own",
  name,
  overload: "",
  inputs: ["x"],
  outputs: ["y"],
  attributes: [],
  defaults: new Map(),
  nodes: [
    ...calls.map((call, index) => onnxNode(call, ["x"], [`t${index}`], { domain: "own" })),
    onnxNode("Identity", ["x"], ["y"]),
  ],
  values: [],
  opsets: new Map([["", 17]]),
});

describe("a model that does not fit together is refused", () => {
  const cases: readonly (readonly [string, OnnxModel, RegExp])[] = [
    ["no outputs", identity({ outputs: [] }), /no outputs/],
    ["an input without a type", identity({ inputs: [{ name: "x" }] }), /input without a type/],
    [
      "a value that nobody makes",
      identity({ nodes: [onnxNode("Add", ["x", "z"], ["y"])] }),
      /"z", which nothing before it makes/,
    ],
    [
      "nodes in the wrong order",
      identity({ nodes: [onnxNode("Identity", ["t"], ["y"]), onnxNode("Identity", ["x"], ["t"])] }),
      /nothing before it makes/,
    ],
    ["a circle", identity({ nodes: [onnxNode("Add", ["x", "y"], ["y"])] }), /nothing before it makes/],
    [
      "a value made twice",
      identity({ nodes: [onnxNode("Identity", ["x"], ["y"]), onnxNode("Neg", ["x"], ["y"])] }),
      /made twice/,
    ],
    ["an output that nobody makes", identity({ outputs: [onnxValue("z", [1])] }), /output that nothing makes/],
    ["no version of the operators", { ...identity(), opsets: new Map() }, /which version/],
    [
      "graphs too deep",
      identity({ nodes: [onnxNode("Identity", ["x"], ["y"]), ...nested(20).nodes] }),
      /more than 16 deep/,
    ],
    [
      "a function that calls itself",
      { ...identity(), functions: [callee("f", "g"), callee("g", "f")] },
      /calls itself/,
    ],
    [
      "functions that grow beyond bounds",
      {
        ...identity({ nodes: [onnxNode("f0", ["x"], ["y"], { domain: "own" })] }),
        functions: Array.from({ length: 40 }, (_, index) =>
          index < 39 ? callee(`f${index}`, `f${index + 1}`, `f${index + 1}`) : callee(`f${index}`),
        ),
      },
      /nodes; at most/,
    ],
    ["a version of the future", { ...identity(), irVersion: 99 }, /version 99/],
  ];
  test.each(cases)("%s", async (_name, model, message) => {
    const bytes = await onnxBytes(model);
    expect(() => parse(bytes)).toThrow(message);
  });

  test("operators of a library of its own, unless they are allowed or the file defines them", async () => {
    const model = identity({ nodes: [onnxNode("Mine", ["x"], ["y"], { domain: "own" })] });
    const bytes = await onnxBytes(model);
    expect(() => parse(bytes)).toThrow(expect.objectContaining({ code: "model_unsupported" }) as Error);
    expect(() => parse(bytes)).toThrow(/own\.Mine/);
    expect(parse(bytes, ["own"]).graph.nodes).toHaveLength(1);
    expect((await write({ ...model, functions: [callee("Mine")] })).functions).toHaveLength(1);
    const known = identity({ nodes: [onnxNode("Gelu", ["x"], ["y"], { domain: "com.microsoft" })] });
    expect((await write(known)).graph.nodes).toHaveLength(1);
  });

  test("a file that ends early, and one that is none", async () => {
    const bytes = await onnxBytes(tinyPerceptron());
    for (const cut of [0, 1, 10, 100, bytes.length - 1]) {
      expect(() => parse(bytes.subarray(0, cut))).toThrow(
        expect.objectContaining({ code: "model_malformed" }) as Error,
      );
    }
    expect(() => parse(Buffer.from("<!doctype html>"))).toThrow(/m\.onnx/);
  });

  test("a graph sees the values around it", async () => {
    const branch = identity({
      inputs: [],
      nodes: [onnxNode("Identity", ["x"], ["inner"])],
      outputs: [onnxValue("inner", [1])],
    });
    const attributes = new Map<string, OnnxAttribute>([["then_branch", { kind: "graph", value: branch.graph }]]);
    const { graph } = await write(identity({ nodes: [onnxNode("If", ["x"], ["y"], { attributes })] }));
    expect(graph.nodes).toHaveLength(1);
  });
});

/** A file whose graph has x, y and one more tensor, which is written by hand. */
function fileWith(tensor: Message): Buffer {
  const type = new Message().message(1, new Message().integer(1, 1));
  const value = (name: string): Message => new Message().text(1, name).message(2, type);
  const node = new Message().text(1, "x").text(2, "y").text(4, "Identity");
  const graph = new Message().message(1, node).message(5, tensor).message(11, value("x")).message(12, value("y"));
  const opset = new Message().text(1, "").integer(2, 17);
  return Buffer.concat(new Message().integer(1, 8).message(7, graph).message(8, opset).pieces() as Uint8Array[]);
}

describe("tensors in other files", () => {
  function writeExternal(path: string, location: string, offset: string): void {
    const entry = (key: string, value: string): Message => new Message().text(1, key).text(2, value);
    const tensor = new Message().integer(1, 2).integer(2, 1).text(8, "w").message(13, entry("location", location));
    tensor.message(13, entry("offset", offset)).message(13, entry("length", "8")).integer(14, 1);
    writeFileSync(path, fileWith(tensor));
  }

  test("are read from beside the model", async () => {
    const path = join(folder(), "m.onnx");
    writeExternal(path, "weights/w.bin", "4");
    mkdirSync(join(path, "..", "weights"));
    writeFileSync(join(path, "..", "weights", "w.bin"), new Uint8Array(Float32Array.of(9, 1, 2).buffer));
    const opened = openOnnx(path);
    expect([...opened.external.keys()]).toEqual(["weights/w.bin"]);
    const weight = opened.model.graph.initializers.get("w") as OnnxTensor;
    expect([...tensorFloats(weight, opened.read)]).toEqual([1, 2]);
    opened.close();
  });

  test.each([
    ["../w.bin", /leads out/],
    ["a/../../w.bin", /leads out/],
    ["/etc/passwd", /not below/],
    ["*/_ORT_MEM_ADDR_/*", /characters/],
    ["C:\\w.bin", /characters/],
    ["a//b", /no plain name/],
    ["", /no name/],
    ["missing.bin", /not beside it/],
  ])("%s is refused", (location, message) => {
    const path = join(folder(), "m.onnx");
    writeExternal(path, location, "0");
    expect(() => readOnnx(path)).toThrow(message);
  });

  test("beyond the end of the file, or at no number, are refused", () => {
    const path = join(folder(), "m.onnx");
    writeFileSync(join(path, "..", "w.bin"), new Uint8Array(8));
    writeExternal(path, "w.bin", "1");
    expect(() => readOnnx(path)).toThrow(/needs bytes 1 to 9 of w\.bin, which has 8/);
    writeExternal(path, "w.bin", "0x10");
    expect(() => readOnnx(path)).toThrow(/offset "0x10"/);
  });

  test.skipIf(process.platform === "win32")("behind a link that leads out are refused", async () => {
    const outside = join(folder(), "w.bin");
    writeFileSync(outside, new Uint8Array(8));
    const path = join(folder(), "m.onnx");
    symlinkSync(outside, join(path, "..", "w.bin"));
    writeExternal(path, "w.bin", "0");
    expect(() => readOnnx(path)).toThrow(/link that leads out/);
  });

  test.skipIf(process.platform === "win32")(
    "are read in the hub's cache, where all files are links to one folder",
    () => {
      const [blobs, snapshot] = [folder(), folder()];
      writeExternal(join(blobs, "0a"), "w.bin", "0");
      writeFileSync(join(blobs, "0b"), new Uint8Array(8));
      symlinkSync(join(blobs, "0a"), join(snapshot, "m.onnx"));
      symlinkSync(join(blobs, "0b"), join(snapshot, "w.bin"));
      expect(() => readOnnx(join(snapshot, "m.onnx"))).not.toThrow();
    },
  );
});

test("a shape that an initializer gives is read", () => {
  const shape = onnxIntegers("s", [2, -1]);
  expect(tensorIntegers(shape, () => {})).toEqual([2, -1]);
});
