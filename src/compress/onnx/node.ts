/** Short ways to say nodes and tensors. */
import type { OnnxAttribute, OnnxNode, OnnxTensor } from "../../formats/onnx/types.ts";

export interface NodeWords {
  readonly operator: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** Named after what it makes. */
export function node({ operator, domain = "", inputs, outputs, attributes = {} }: NodeWords): OnnxNode {
  return {
    name: `${operator}:${outputs[0] ?? ""}`,
    operator,
    domain,
    overload: "",
    inputs,
    outputs,
    attributes: new Map(Object.entries(attributes)),
  };
}

export function int(value: number): OnnxAttribute {
  return { kind: "int", value: BigInt(value) };
}

/** The value of an integer attribute. */
export function intOf({ attributes }: OnnxNode, name: string, byDefault: number): number {
  const attribute = attributes.get(name);
  return attribute?.kind === "int" ? Number(attribute.value) : byDefault;
}

export function floatOf({ attributes }: OnnxNode, name: string, byDefault: number): number {
  const attribute = attributes.get(name);
  return attribute?.kind === "float" ? attribute.value : byDefault;
}

export function isOnnx({ domain, operator }: OnnxNode, ...operators: readonly string[]): boolean {
  return domain === "" && operators.includes(operator);
}

export function floats(name: string, shape: readonly number[], values: Float32Array): OnnxTensor {
  return { name, type: "float32", shape, data: { kind: "bytes", bytes: bytesOf(values) } };
}

export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Bytes that are made when they are written. */
export function made(length: number, make: () => Uint8Array): Extract<OnnxTensor["data"], { kind: "lazy" }> {
  return { kind: "lazy", bytes: { length, write: async (sink) => await sink(make()) } };
}
