/**
 * INT8 whose activations have scales that calibration found: `QuantizeLinear` and `DequantizeLinear` around the nodes, from
 * which a runtime makes nodes that compute with codes. Source: https://onnxruntime.ai/docs/performance/quantization.html
 */
import type { ReadData } from "../../formats/onnx/data.ts";
import { tensorFloats } from "../../formats/onnx/data.ts";
import { elementCount } from "../../formats/onnx/types.ts";
import type { OnnxModel, OnnxNode, OnnxTensor } from "../../formats/onnx/types.ts";
import { byRows, int8Matrix } from "./codes.ts";
import { intOf, bytesOf, floats, int, isOnnx, made, node } from "./node.ts";
import type { Range } from "./ranges.ts";
import { codeScale } from "./ranges.ts";
import { prune, Names } from "./rewrite.ts";
import type { StaticPlan } from "./static-plan.ts";
import type { Int8Names, Weights } from "./weights.ts";

export interface StaticOptions {
  readonly plan: StaticPlan;
  readonly ranges: ReadonlyMap<string, Range>;
  readonly weights: Weights;
  readonly perChannel: boolean;
  /** Code of the weight that is farthest from 0. */
  readonly largest: number;
  readonly read: ReadData;
}

/** Codes of 8 bits between the nodes of a plan. */
export function quantizeStatic(model: OnnxModel, options: StaticOptions): OnnxModel {
  return new StaticQuantizer(model, options).run();
}

interface Scaled {
  readonly scale: string;
  readonly zero: string;
  readonly value: number;
}

class StaticQuantizer {
  private readonly model: OnnxModel;
  private readonly options: StaticOptions;
  private readonly names: Names;
  private readonly added = new Map<string, OnnxTensor>();
  private readonly nodes: OnnxNode[] = [];
  /** Values that a node which computes with codes reads instead. */
  private readonly instead = new Map<string, string>();
  private readonly scales = new Map<string, Scaled>();
  private readonly inputs: ReadonlySet<string>;

  constructor(model: OnnxModel, options: StaticOptions) {
    this.model = model;
    this.options = options;
    this.names = new Names(model);
    this.inputs = new Set(model.graph.inputs.map(({ name }) => name));
  }

  run(): OnnxModel {
    const { graph } = this.model;
    for (const { name } of graph.inputs) if (this.isCoded(name)) this.encode(name, name);
    for (const found of graph.nodes) this.add(found);
    const initializers = new Map([...graph.initializers, ...this.added]);
    const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
    return { ...this.model, graph: prune({ ...graph, inputs, initializers, nodes: this.nodes, values: [] }) };
  }

  private isCoded(name: string): boolean {
    const { values, same } = this.options.plan;
    return values.has(name) || same.has(name);
  }

  private add(found: OnnxNode): void {
    const outputs = found.outputs.map((name) => (this.isCoded(name) ? this.names.fresh(`${name}_exact`) : name));
    this.nodes.push({ ...found, inputs: this.inputsOf(found), outputs });
    for (const [index, name] of found.outputs.entries())
      if (this.isCoded(name)) this.encode(outputs[index] ?? "", name);
  }

  private inputsOf(found: OnnxNode): readonly string[] {
    if (!this.options.plan.nodes.has(found)) return found.inputs;
    const inputs = found.inputs.map((name) => this.instead.get(name) ?? name);
    if (!isOnnx(found, "Conv", "Gemm", "MatMul")) return inputs;
    return this.withWeights(found, inputs);
  }

  /** Codes of a value and what they stand for. A value keeps its name for all who read it, but an input cannot. */
  private encode(from: string, name: string): void {
    const { scale, zero } = this.scaleOf(name);
    const codes = this.names.fresh(`${name}_codes`);
    const result = this.inputs.has(name) ? this.names.fresh(`${name}_coded`) : name;
    if (result !== name) this.instead.set(name, result);
    this.nodes.push(
      node({ operator: "QuantizeLinear", inputs: [from, scale, zero], outputs: [codes] }),
      node({ operator: "DequantizeLinear", inputs: [codes, scale, zero], outputs: [result] }),
    );
  }

  private scaleOf(value: string): Scaled {
    const name = this.options.plan.same.get(value) ?? value;
    const known = this.scales.get(name);
    if (known) return known;
    const { scale, zero } = codeScale(this.options.ranges.get(name) ?? { least: 0, most: 0 });
    const scaled = { scale: this.names.fresh(`${name}_scale`), zero: this.names.fresh(`${name}_zero`), value: scale };
    this.keep(floats(scaled.scale, [], Float32Array.of(scale)));
    this.keep({ name: scaled.zero, type: "uint8", shape: [], data: { kind: "bytes", bytes: Uint8Array.of(zero) } });
    this.scales.set(name, scaled);
    return scaled;
  }

  private keep(tensor: OnnxTensor): string {
    this.added.set(tensor.name, tensor);
    return tensor.name;
  }

  private withWeights(found: OnnxNode, inputs: readonly string[]): readonly string[] {
    const [input = "", name = "", bias = ""] = found.inputs;
    const weight = this.model.graph.initializers.get(name);
    if (!weight) return inputs;
    const { perChannel } = this.options;
    const axis = isOnnx(found, "Conv") || intOf(found, "transB", 0) === 1 ? 0 : 1;
    const codes = this.weightCodes(weight, axis);
    const result = this.decode({
      ...codes,
      of: name,
      axis: perChannel ? axis : undefined,
      channels: weight.shape[axis] ?? 1,
    });
    const other = this.model.graph.initializers.get(bias);
    if (!other || other.type !== "float32" || isOnnx(found, "MatMul"))
      return [inputs[0] ?? "", result, ...inputs.slice(2)];
    return [inputs[0] ?? "", result, this.biasCodes(other, { weight, axis, input: this.scaleOf(input).value })];
  }

  private weightCodes(weight: OnnxTensor, axis: number): Int8Names {
    const { weights, perChannel, largest } = this.options;
    const place = { add: (tensor: OnnxTensor) => this.keep(tensor), fresh: (base: string) => this.names.fresh(base) };
    return weights.int8(weight, place, {
      rows: weight.shape[0] ?? 1,
      transpose: false,
      sharing: perChannel ? (axis === 0 ? "row" : "column") : "all",
      largest,
      codeShape: weight.shape,
      scaleShape: perChannel ? [weight.shape[axis] ?? 1] : [],
    });
  }

  private decode({ codes, scales, of, axis, channels }: Decoded): string {
    const zero = this.names.fresh(`${of}_zero`);
    const shape = axis === undefined ? [] : [channels];
    this.keep({ name: zero, type: "int8", shape, data: { kind: "bytes", bytes: new Uint8Array(elementCount(shape)) } });
    const output = this.names.fresh(`${of}_coded`);
    const attributes = axis === undefined ? {} : { axis: int(axis) };
    this.nodes.push(
      node({ operator: "DequantizeLinear", inputs: [codes, scales, zero], outputs: [output], attributes }),
    );
    return output;
  }

  /** Whole numbers of 32 bits, in units of the products of codes. */
  private biasCodes(bias: OnnxTensor, { weight, axis, input }: BiasUnits): string {
    const { read, perChannel, largest } = this.options;
    const [rows = 1] = weight.shape;
    const sharing = perChannel ? (axis === 0 ? "row" : "column") : "all";
    const values = tensorFloats(bias, read);
    const matrix = byRows(tensorFloats(weight, read), rows, elementCount(weight.shape) / rows);
    const units = int8Matrix(matrix, { sharing, largest }).scales.map((scale) => scale * input);
    const codes = Int32Array.from(values, (value, index) => {
      const whole = Math.round(value / (units[perChannel ? index : 0] ?? 1));
      return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), whole));
    });
    const names = { codes: this.names.fresh(`${bias.name}_int32`), scales: this.names.fresh(`${bias.name}_scale`) };
    this.keep({
      name: names.codes,
      type: "int32",
      shape: bias.shape,
      data: made(codes.byteLength, () => bytesOf(codes)),
    });
    this.keep(floats(names.scales, perChannel ? [units.length] : [], units));
    const output = this.names.fresh(`${bias.name}_coded`);
    const attributes = perChannel ? { axis: int(0) } : {};
    this.nodes.push(
      node({ operator: "DequantizeLinear", inputs: [names.codes, names.scales], outputs: [output], attributes }),
    );
    return output;
  }
}

interface Decoded extends Int8Names {
  readonly of: string;
  readonly axis: number | undefined;
  readonly channels: number;
}

interface BiasUnits {
  readonly weight: OnnxTensor;
  readonly axis: number;
  readonly input: number;
}
