/** Whether the parts of a model fit each other: names are there before they are used, and only once. */
import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";
import { checkFunctions, functionKey } from "./check-functions.ts";
import { fault } from "./fault.ts";
import type { OnnxParseOptions } from "./parse.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxValue } from "./types.ts";

/** Domains whose operators ONNX Runtime has itself. */
const knownDomains = ["", "ai.onnx.ml", "com.microsoft"] as const;

/** What all checks of one model share. */
interface Checking {
  readonly name: string;
  readonly domains: ReadonlySet<string>;
  readonly functions: ReadonlySet<string>;
}

/** Names of values that a graph can use. */
interface Scope {
  readonly names: Set<string>;
  /** What its nodes make, early or late: graphs inside may use all of it, for runtimes put nodes in order themselves. */
  readonly made?: ReadonlySet<string>;
  readonly outer: Scope | undefined;
}

export function checkModel(model: OnnxModel, { name, allowDomains = [] }: OnnxParseOptions): void {
  const functions = new Set(model.functions.map(functionKey));
  const checking: Checking = { name, functions, domains: new Set([...knownDomains, ...allowDomains]) };
  if (!model.opsets.has(""))
    throw fault(name, "opset_import", "does not say which version of ONNX's operators it uses");
  if (model.graph.outputs.length === 0) throw fault(name, "graph", "has no outputs");
  for (const input of model.graph.inputs) {
    if (!input.type) throw fault(name, input.name, "is an input without a type");
  }
  checkGraph(checking, model.graph, undefined);
  checkFunctions(model, name);
  for (const { name: part, inputs, outputs, nodes } of model.functions) {
    const scope: Scope = { names: new Set(), outer: undefined };
    for (const input of inputs) define(checking, scope, input);
    checkNodes(checking, { nodes, scope, inFunction: true });
    const missing = outputs.find((output) => !scope.names.has(output));
    if (missing !== undefined) throw fault(name, part, `does not make its output "${printable(missing)}"`);
  }
}

function checkGraph(checking: Checking, graph: OnnxGraph, outer: Scope | undefined, inFunction = false): void {
  const scope: Scope = { names: new Set(), outer };
  for (const { name } of graph.inputs) define(checking, scope, name);
  // An initializer of an input's name is its default.
  const inputs = new Set(scope.names);
  for (const name of graph.initializers.keys()) if (!inputs.has(name)) define(checking, scope, name);
  for (const { values } of graph.sparseInitializers) define(checking, scope, values.name);
  checkNodes(checking, { nodes: graph.nodes, scope, inFunction });
  checkOutputs(checking, graph.outputs, scope);
}

function checkOutputs(checking: Checking, outputs: readonly OnnxValue[], scope: Scope): void {
  const seen = new Set<string>();
  for (const { name } of outputs) {
    if (!isKnown(scope, name)) throw fault(checking.name, name, "is an output that nothing makes");
    if (seen.has(name)) throw fault(checking.name, name, "is an output twice");
    seen.add(name);
  }
}

interface Body {
  readonly nodes: readonly OnnxNode[];
  readonly scope: Scope;
  readonly inFunction: boolean;
}

function checkNodes(checking: Checking, { nodes, scope, inFunction }: Body): void {
  const seenInside = { ...scope, made: new Set(nodes.flatMap(({ outputs }) => outputs)) };
  for (const node of nodes) {
    checkOperator(checking, node);
    for (const input of node.inputs) {
      if (input === "" || isKnown(scope, input)) continue;
      const problem = `uses "${printable(input)}", which nothing before it makes`;
      throw fault(checking.name, labelOf(node), problem);
    }
    for (const attribute of node.attributes.values()) {
      checkAttribute(checking, attribute, { scope: seenInside, inFunction });
    }
    for (const output of node.outputs) if (output !== "") define(checking, scope, output);
  }
}

function checkAttribute(
  checking: Checking,
  attribute: OnnxAttribute,
  { scope, inFunction }: Pick<Body, "scope" | "inFunction">,
): void {
  if (attribute.kind === "graph") checkGraph(checking, attribute.value, scope, inFunction);
  else if (attribute.kind === "graphs") {
    for (const graph of attribute.value) checkGraph(checking, graph, scope, inFunction);
  } else if (attribute.kind === "reference" && !inFunction) {
    throw fault(checking.name, attribute.value, "is an attribute of a function, but is used outside of one");
  }
}

function checkOperator(checking: Checking, node: OnnxNode): void {
  const { domains, functions, name } = checking;
  if (domains.has(node.domain) || functions.has(functionKey({ ...node, name: node.operator }))) return;
  const operator = printable(`${node.domain}.${node.operator}`);
  throw new HearthError("model_unsupported", `${name} uses the operator ${operator}, which is not part of ONNX.`, {
    hint: "Export the model without operators of a library of its own.",
    details: { field: labelOf(node), operator },
  });
}

function define({ name }: Checking, { names }: Scope, value: string): void {
  if (value === "") throw fault(name, "graph", "has a value without a name");
  if (names.has(value)) throw fault(name, value, "is made twice");
  names.add(value);
}

function isKnown(scope: Scope | undefined, name: string): boolean {
  for (let here = scope; here; here = here.outer) if (here.names.has(name) || here.made?.has(name)) return true;
  return false;
}

function labelOf({ name, operator, outputs }: OnnxNode): string {
  return printable(name === "" ? `${operator} (${outputs[0] ?? ""})` : name);
}
