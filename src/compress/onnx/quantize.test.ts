import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/cli/run-main.ts";
import { onnxFloats, onnxModel, onnxNode, onnxValue, tensorMap, tinyPerceptron } from "../../../test/make-onnx.ts";
import { randomNormal } from "../../../test/make-weights.ts";
import { tensorBytes, tensorFloats } from "../../formats/onnx/data.ts";
import { onnxBytes } from "../../formats/onnx/encode.ts";
import { openOnnx } from "../../formats/onnx/read.ts";
import type { OnnxAttribute, OnnxModel, OnnxTensor } from "../../formats/onnx/types.ts";
import { quantizeOnnx } from "./quantize.ts";
import type { OnnxQuantizeOptions } from "./quantize.ts";

async function quantize(model: OnnxModel, own: Partial<OnnxQuantizeOptions> = {}) {
  const folder = temporaryFolder();
  const source = join(folder, "model.onnx");
  writeFileSync(source, await onnxBytes(model));
  const out = join(folder, "small.onnx");
  const report = await quantizeOnnx({ source, out, type: "int8", ...own });
  const opened = openOnnx(out);
  const tensor = (name: string): OnnxTensor => opened.model.graph.initializers.get(name) as OnnxTensor;
  const result = {
    report,
    folder,
    graph: opened.model.graph,
    model: opened.model,
    operators: opened.model.graph.nodes.map(({ operator }) => operator),
    bytes: (name: string) => tensorBytes(tensor(name), opened.read),
    floats: (name: string) => tensorFloats(tensor(name), opened.read),
  };
  return result;
}

const weightsOf = (model: OnnxModel, name: string): Float32Array =>
  tensorFloats(model.graph.initializers.get(name) as OnnxTensor, () => {});

describe("int8 without calibration", () => {
  test("multiplies codes, with a scale for each column, at most half a step off", async () => {
    const model = tinyPerceptron();
    const { operators, bytes, floats, report } = await quantize(model);
    const product = ["DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul"];
    expect(operators).toEqual([...product, "Add", "Relu", ...product, "Add"]);
    const codes = new Int8Array(bytes("w1_int8").buffer);
    const scales = floats("w1_scale");
    expect(scales).toHaveLength(48);
    const weights = weightsOf(model, "w1");
    for (const [index, code] of codes.entries()) {
      const scale = scales[index % 48] ?? 0;
      expect(Math.abs(code * scale - (weights[index] ?? 0))).toBeLessThanOrEqual(scale * 0.5001);
    }
    expect(report).toMatchObject({
      method: "dynamic",
      weights: { int8: 64 * 48 + 32 * 48, float32: 48 + 32 + 48 + 32 },
    });
    expect(report.sizeBytes).toBeLessThan(report.sourceBytes / 2.5);
  });

  test("turns a matrix that a Gemm has the other way round", async () => {
    const model = tinyPerceptron();
    const { bytes, floats } = await quantize(model);
    const codes = new Int8Array(bytes("w2_int8").buffer);
    const weights = weightsOf(model, "w2");
    const scales = floats("w2_scale");
    // Stored [32, 48], multiplied as [48, 32].
    for (let row = 0; row < 48; row++) {
      for (let column = 0; column < 32; column++) {
        const value = (codes[row * 32 + column] ?? 0) * (scales[column] ?? 0);
        expect(value).toBeCloseTo(weights[column * 48 + row] ?? 0, 1);
      }
    }
  });

  test("has one scale for a matrix where that is asked for", async () => {
    const { graph } = await quantize(tinyPerceptron(), { perChannel: false });
    expect(graph.initializers.get("w1_scale")?.shape).toEqual([]);
  });

  test("makes codes of an input once for all that take it, and of a weight once for all that use it", async () => {
    const weight = onnxFloats("w", [32, 32], Float32Array.from({ length: 1024 }, randomNormal(1)));
    const model = onnxModel({
      nodes: [
        onnxNode("MatMul", ["x", "w"], ["a"]),
        onnxNode("MatMul", ["x", "w"], ["b"]),
        onnxNode("Add", ["a", "b"], ["y"]),
      ],
      initializers: tensorMap(weight),
      inputs: [onnxValue("x", ["n", 32])],
      outputs: [onnxValue("y", ["n", 32])],
    });
    const { operators, graph } = await quantize(model);
    expect(operators.filter((operator) => operator === "DynamicQuantizeLinear")).toHaveLength(1);
    expect([...graph.initializers.keys()]).toEqual(["w_int8", "w_scale"]);
  });

  test("keeps a weight that something else needs as it is", async () => {
    const weight = onnxFloats("w", [32, 32], Float32Array.from({ length: 1024 }, randomNormal(1)));
    const model = onnxModel({
      nodes: [onnxNode("MatMul", ["x", "w"], ["a"]), onnxNode("Add", ["a", "w"], ["y"])],
      initializers: tensorMap(weight),
      inputs: [onnxValue("x", [32, 32])],
      outputs: [onnxValue("y", [32, 32])],
    });
    const { graph } = await quantize(model);
    expect([...graph.initializers.keys()]).toEqual(["w", "w_int8", "w_scale"]);
  });

  test("takes rows of a table as codes, with the scale of each row", async () => {
    const table = onnxFloats("table", [64, 32], Float32Array.from({ length: 2048 }, randomNormal(2)));
    const model = onnxModel({
      nodes: [onnxNode("Gather", ["table", "ids"], ["y"])],
      initializers: tensorMap(table),
      inputs: [{ name: "ids", type: { kind: "tensor", element: "int64", shape: ["n"] } }],
      outputs: [onnxValue("y", ["n", 32])],
    });
    const { operators, graph } = await quantize(model);
    expect(operators).toEqual(["Gather", "Gather", "Cast", "Mul"]);
    expect(graph.initializers.get("table_scale")?.shape).toEqual([64, 1]);
  });

  test("reaches weights in branches, and constants", async () => {
    const weight = onnxFloats("", [32, 32], Float32Array.from({ length: 1024 }, randomNormal(3)));
    const branch = onnxModel({
      nodes: [
        onnxNode("Constant", [], ["w"], { attributes: new Map([["value", { kind: "tensor", value: weight }]]) }),
        onnxNode("MatMul", ["x", "w"], ["z"]),
      ],
      outputs: [onnxValue("z", ["n", 32])],
    }).graph;
    const attributes = new Map<string, OnnxAttribute>([["then_branch", { kind: "graph", value: branch }]]);
    const model = onnxModel({
      nodes: [onnxNode("If", ["c"], ["y"], { attributes })],
      inputs: [onnxValue("x", ["n", 32]), { name: "c", type: { kind: "tensor", element: "bool", shape: [] } }],
      outputs: [onnxValue("y", ["n", 32])],
    });
    const { graph, report } = await quantize(model);
    const inner = graph.nodes[0]?.attributes.get("then_branch");
    expect(inner?.kind === "graph" && inner.value.nodes.map(({ operator }) => operator)).toContain("MatMulInteger");
    expect(report.weights["int8"]).toBe(1024);
  });
});

describe("int4", () => {
  test.each([
    [32, true],
    [32, false],
    [128, true],
  ])("packs columns in blocks of %i, symmetric: %s", async (blockSize, symmetric) => {
    const model = tinyPerceptron();
    const { graph, bytes, floats, model: written } = await quantize(model, { type: "int4", blockSize, symmetric });
    const [first] = graph.nodes;
    expect(first).toMatchObject({ operator: "MatMulNBits", domain: "com.microsoft" });
    expect(written.opsets.get("com.microsoft")).toBe(1);
    const blocks = Math.ceil(64 / blockSize);
    expect(graph.initializers.get("w1_int4")?.shape).toEqual([48, blocks, blockSize / 2]);
    const [codes, scales] = [bytes("w1_int4"), floats("w1_scale")];
    const zeros = symmetric ? undefined : bytes("w1_zero");
    const weights = weightsOf(model, "w1");
    let worst = 0;
    for (let column = 0; column < 48; column++) {
      for (let row = 0; row < 64; row++) {
        const block = Math.floor(row / blockSize);
        const byte = codes[(column * blocks + block) * (blockSize / 2) + Math.floor((row % blockSize) / 2)] ?? 0;
        const code = row % 2 === 0 ? byte & 15 : byte >> 4;
        const packed = zeros?.[column * Math.ceil(blocks / 2) + (block >> 1)] ?? 0x88;
        const zero = block % 2 === 0 ? packed & 15 : packed >> 4;
        const scale = scales[column * blocks + block] ?? 0;
        const off = Math.abs((code - zero) * scale - (weights[row * 48 + column] ?? 0)) / scale;
        worst = Math.max(worst, off);
      }
    }
    // The weight that is farthest from 0 may be cut, for the sake of the others.
    expect(worst).toBeLessThan(1.6);
  });
});

describe("a model that cannot be made smaller", () => {
  test("because it has codes already, is refused", async () => {
    const { folder } = await quantize(tinyPerceptron());
    const again = quantizeOnnx({ source: join(folder, "small.onnx"), out: join(folder, "x.onnx"), type: "int4" });
    await expect(again).rejects.toMatchObject({
      code: "bad_request",
      message: /quantized already: it has MatMulInteger/,
    });
    expect(existsSync(join(folder, "x.onnx"))).toBe(false);
  });

  test("because it has no weights, is refused", async () => {
    const model = onnxModel({
      nodes: [onnxNode("Relu", ["x"], ["y"])],
      inputs: [onnxValue("x", [4])],
      outputs: [onnxValue("y", [4])],
    });
    await expect(quantize(model)).rejects.toThrow(/no weights that could be made smaller/);
  });

  test("leaves no trace where the disk is too small or the work is aborted", async () => {
    const folder = temporaryFolder();
    const source = join(folder, "model.onnx");
    writeFileSync(source, await onnxBytes(tinyPerceptron()));
    const options = { source, out: join(folder, "small.onnx"), type: "int8" } as const;
    await expect(quantizeOnnx({ ...options, freeBytes: async () => 10 })).rejects.toMatchObject({ code: "disk_full" });
    await expect(quantizeOnnx({ ...options, signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
    expect(readdirSync(folder)).toEqual(["model.onnx"]);
  });

  test("says that calibration needs the runtime, and that int4 has none", async () => {
    const calibrated = quantize(tinyPerceptron(), { calibration: "samples.npz" });
    await expect(calibrated).rejects.toMatchObject({ code: "engine_missing" });
    const four = quantize(tinyPerceptron(), { type: "int4", calibration: "samples.npz" });
    await expect(four).rejects.toMatchObject({ code: "bad_request" });
  });
});
