/** Puts other nodes in the place of those of a model, in its graphs within graphs too. */
import { graphsOf } from "../../formats/onnx/check-functions.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "../../formats/onnx/types.ts";

/** Where a node stands. */
export interface Place {
  /** The initializer of this name that the node sees. */
  readonly weight: (name: string) => OnnxTensor | undefined;
  /** Adds one to the outermost graph, where all can see it; gives its name. */
  readonly add: (tensor: OnnxTensor) => string;
  /** A name that is not used yet. */
  readonly fresh: (base: string) => string;
  /** What belongs to this one graph. */
  readonly local: Map<string, string>;
}

/** Nodes instead of a node; undefined: it stays. */
export type Rule = (node: OnnxNode, place: Place) => readonly OnnxNode[] | undefined;

interface Level {
  readonly tensors: Map<string, OnnxTensor>;
  readonly outer: Level | undefined;
}

/** Constants of at least so many bytes become initializers, as other programs write them. */
const constantBytes = 1024;

/** Since this version of the format initializers need not be inputs. */
const leastVersion = 4;

/** Inputs with a default, which older files have for each initializer, become constants. */
export function rewriteModel(model: OnnxModel, rule: Rule): OnnxModel {
  const { graph } = model;
  const names = new Names(model);
  const added = new Map<string, OnnxTensor>();
  const rewritten = rewriteGraph(graph, { outer: undefined, names, rule, added });
  const initializers = new Map([...rewritten.initializers, ...added]);
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  return {
    ...model,
    irVersion: Math.max(model.irVersion, leastVersion),
    graph: prune({ ...rewritten, inputs, initializers }),
  };
}

/** Gives names that no value of the model has. */
export class Names {
  private readonly used: Set<string>;

  constructor({ graph }: OnnxModel) {
    this.used = new Set();
    collectNames(graph, this.used);
  }

  fresh(base: string): string {
    let name = base;
    for (let count = 2; this.used.has(name); count++) name = `${base}_${count}`;
    this.used.add(name);
    return name;
  }
}

interface Rewriting {
  readonly outer: Level | undefined;
  readonly names: Names;
  readonly rule: Rule;
  readonly added: Map<string, OnnxTensor>;
}

function rewriteGraph(graph: OnnxGraph, { outer, names, rule, added }: Rewriting): OnnxGraph {
  const level: Level = { tensors: new Map(graph.initializers), outer };
  const place: Place = {
    weight: (name) => findTensor(level, name),
    add(tensor) {
      added.set(tensor.name, tensor);
      return tensor.name;
    },
    fresh: (base) => names.fresh(base),
    local: new Map(),
  };
  const nodes: OnnxNode[] = [];
  for (const node of graph.nodes) {
    const constant = constantOf(node);
    if (constant) {
      level.tensors.set(constant.name, constant);
      continue;
    }
    const inner = rewriteInner(node, (inside) => rewriteGraph(inside, { outer: level, names, rule, added }));
    nodes.push(...(rule(inner, place) ?? [inner]));
  }
  return { ...graph, nodes, initializers: level.tensors };
}

function findTensor(level: Level | undefined, name: string): OnnxTensor | undefined {
  for (let here = level; here; here = here.outer) {
    const found = here.tensors.get(name);
    if (found) return found;
  }
  return undefined;
}

function constantOf({ operator, domain, attributes, outputs }: OnnxNode): OnnxTensor | undefined {
  if (operator !== "Constant" || domain !== "") return undefined;
  const value = attributes.get("value");
  const name = outputs[0];
  if (value?.kind !== "tensor" || name === undefined || value.value.type === "string") return undefined;
  const { data } = value.value;
  const length = data.kind === "bytes" || data.kind === "lazy" ? data.bytes.length : "length" in data ? data.length : 0;
  return length < constantBytes ? undefined : { ...value.value, name };
}

/** A node with its graphs changed. */
export function rewriteInner(node: OnnxNode, change: (graph: OnnxGraph) => OnnxGraph): OnnxNode {
  const isInner = ({ kind }: OnnxAttribute): boolean => kind === "graph" || kind === "graphs";
  if (![...node.attributes.values()].some(isInner)) return node;
  const attributes = [...node.attributes].map(([name, attribute]): [string, OnnxAttribute] => {
    if (attribute.kind === "graph") return [name, { kind: "graph", value: change(attribute.value) }];
    if (attribute.kind === "graphs") return [name, { kind: "graphs", value: attribute.value.map(change) }];
    return [name, attribute];
  });
  return { ...node, attributes: new Map(attributes) };
}

/** Without initializers that nothing uses any more. */
export function prune(graph: OnnxGraph): OnnxGraph {
  const used = new Set<string>();
  collectUses(graph, used);
  const change = (inside: OnnxGraph): OnnxGraph => ({
    ...inside,
    initializers: new Map([...inside.initializers].filter(([name]) => used.has(name))),
    nodes: inside.nodes.map((node) => rewriteInner(node, change)),
  });
  return change(graph);
}

function collectUses({ nodes, outputs }: OnnxGraph, used: Set<string>): void {
  for (const { name } of outputs) used.add(name);
  for (const node of nodes) {
    for (const input of node.inputs) used.add(input);
    for (const graph of graphsOf(node)) collectUses(graph, used);
  }
}

function collectNames({ nodes, inputs, initializers }: OnnxGraph, names: Set<string>): void {
  for (const { name } of inputs) names.add(name);
  for (const name of initializers.keys()) names.add(name);
  for (const node of nodes) {
    for (const output of node.outputs) names.add(output);
    for (const graph of graphsOf(node)) collectNames(graph, names);
  }
}
