import { limits } from "./limits.ts";
import { readAttribute } from "./parse-attribute.ts";
import { readSparseTensor, readTensor } from "./parse-tensor.ts";
import { readValue } from "./parse-type.ts";
import type { Reading } from "./reading.ts";
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxNode, OnnxSparseTensor, OnnxTensor } from "./types.ts";
import type { OnnxValue } from "./types.ts";

/** A GraphProto. */
export function readGraph(reading: Reading, end: number): OnnxGraph {
  let name = "";
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const sparseInitializers: OnnxSparseTensor[] = [];
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const values: OnnxValue[] = [];
  while (reading.next(end)) {
    reading.part = "graph";
    switch (reading.field) {
      case 1:
        nodes.push(readNode(reading, reading.enter()));
        break;
      case 2:
        name = reading.label();
        break;
      case 5:
        addTensor(reading, initializers, readTensor(reading, reading.enter()));
        break;
      case 11:
        inputs.push(readValue(reading, reading.enter()));
        break;
      case 12:
        outputs.push(readValue(reading, reading.enter()));
        break;
      case 13:
        values.push(readValue(reading, reading.enter()));
        break;
      case 15:
        sparseInitializers.push(readSparseTensor(reading, reading.enter()));
        break;
    }
  }
  return { name, nodes, initializers, sparseInitializers, inputs, outputs, values };
}

function addTensor(reading: Reading, tensors: Map<string, OnnxTensor>, tensor: OnnxTensor): void {
  reading.part = tensor.name;
  if (tensor.name === "") reading.fail("has an initializer without a name");
  if (tensors.has(tensor.name)) reading.fail("is there twice");
  tensors.set(tensor.name, tensor);
}

/** A NodeProto. */
function readNode(reading: Reading, end: number): OnnxNode {
  const { start } = reading;
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  const text = { name: "", operator: "", domain: "", overload: "" };
  while (reading.next(end)) {
    switch (reading.field) {
      case 1:
        inputs.push(reading.label());
        break;
      case 2:
        outputs.push(reading.label());
        break;
      case 3:
        text.name = reading.label();
        reading.part = text.name;
        break;
      case 4:
        text.operator = reading.label();
        break;
      case 5:
        addAttribute(reading, attributes);
        break;
      case 7:
        text.domain = domainName(reading.label());
        break;
      case 8:
        text.overload = reading.label();
        break;
    }
  }
  if (text.operator === "") reading.fail("is a node without an operator", start);
  return { ...text, inputs, outputs, attributes };
}

function addAttribute(reading: Reading, attributes: Map<string, OnnxAttribute>): void {
  const { start, part } = reading;
  const [name, value] = readAttribute(reading, reading.enter(), readGraph);
  reading.part = part;
  if (attributes.has(name)) reading.fail(`has the attribute "${name}" twice`, start);
  attributes.set(name, value);
}

/** ONNX's own domain has two names. */
export function domainName(text: string): string {
  return text === "ai.onnx" ? "" : text;
}

/** An OperatorSetIdProto. */
export function addOpset(reading: Reading, opsets: Map<string, number>): void {
  const { start } = reading;
  const end = reading.enter();
  let domain = "";
  let version = 0;
  while (reading.next(end)) {
    if (reading.field === 1) domain = domainName(reading.label());
    else if (reading.field === 2) version = reading.safeInteger();
  }
  if (version < 1 || version > limits.opset) reading.fail(`asks for version ${version} of its operators`, start);
  if (opsets.has(domain)) reading.fail(`asks for the operators of "${domain}" twice`, start);
  opsets.set(domain, version);
}

/** A FunctionProto. */
export function readFunction(reading: Reading, end: number): OnnxFunction {
  const { start } = reading;
  const text = { domain: "", name: "", overload: "" };
  const lists = { inputs: [] as string[], outputs: [] as string[], attributes: [] as string[] };
  const defaults = new Map<string, OnnxAttribute>();
  const nodes: OnnxNode[] = [];
  const values: OnnxValue[] = [];
  const opsets = new Map<string, number>();
  while (reading.next(end)) {
    switch (reading.field) {
      case 1:
        text.name = reading.label();
        reading.part = text.name;
        break;
      case 4:
        lists.inputs.push(reading.label());
        break;
      case 5:
        lists.outputs.push(reading.label());
        break;
      case 6:
        lists.attributes.push(reading.label());
        break;
      case 7:
        nodes.push(readNode(reading, reading.enter()));
        break;
      case 9:
        addOpset(reading, opsets);
        break;
      case 10:
        text.domain = domainName(reading.label());
        break;
      case 11:
        addAttribute(reading, defaults);
        break;
      case 12:
        values.push(readValue(reading, reading.enter()));
        break;
      case 13:
        text.overload = reading.label();
        break;
    }
  }
  if (text.name === "") reading.fail("is a function without a name", start);
  return { ...text, ...lists, defaults, nodes, values, opsets };
}
