/** Which nodes of a model compute with codes, and which values have codes between them. */
import type { OnnxGraph, OnnxNode } from "../../formats/onnx/types.ts";
import { asMatMul } from "./matmul.ts";
import { isOnnx } from "./node.ts";
import type { Place } from "./rewrite.ts";

export interface StaticPlan {
  /** Nodes whose inputs are read from codes. */
  readonly nodes: ReadonlySet<OnnxNode>;
  /** Activations that get codes, and need a range. */
  readonly values: ReadonlySet<string>;
  /** Values that have the codes of another one, because their node only moves or picks elements. */
  readonly same: ReadonlyMap<string, string>;
}

/** What a runtime computes with codes too: it saves the way to floats and back. */
const joining = ["Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool"] as const;
const moving = ["MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"] as const;
/** What a runtime does away with where codes follow: the range says the same. */
const clipping = ["Relu", "Clip"] as const;

export function planStatic(graph: OnnxGraph, weight: Place["weight"]): StaticPlan {
  const uses = countUses(graph);
  const floats = new Set(graph.outputs.map(({ name }) => name));
  const nodes = new Set<OnnxNode>();
  const values = new Set<string>();
  const same = new Map<string, string>();
  /** What has codes, or will: found once its node is. */
  const coded = (name: string): boolean => values.has(name) || same.has(name);
  const followers = firstUsers(graph);
  for (const node of graph.nodes) {
    const inputs = node.inputs.filter((name) => name !== "" && !weight(name));
    const [output = ""] = node.outputs;
    const isHeavy = isWeighted(node, weight);
    const isJoining = isOnnx(node, ...joining) && inputs.length === node.inputs.length && inputs.every(coded);
    if (isHeavy || isJoining) {
      nodes.add(node);
      for (const input of isHeavy ? inputs.slice(0, 1) : inputs) if (!coded(input)) values.add(input);
      const after = uses.get(output) === 1 ? followers.get(output) : undefined;
      const end = after && isOnnx(after, ...clipping) ? (after.outputs[0] ?? "") : output;
      if (!floats.has(end) && !floats.has(output)) values.add(end);
    } else if (isOnnx(node, ...moving) && coded(node.inputs[0] ?? "") && !floats.has(output)) {
      nodes.add(node);
      const [from = ""] = node.inputs;
      same.set(output, same.get(from) ?? from);
    }
  }
  return { nodes, values, same };
}

/** A convolution, or a product with a matrix, whose weights are there. */
function isWeighted(node: OnnxNode, weight: Place["weight"]): boolean {
  if (isOnnx(node, "Conv")) return weight(node.inputs[1] ?? "")?.type === "float32";
  return asMatMul(node, weight)?.weight.type === "float32";
}

function countUses({ nodes, outputs }: OnnxGraph): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  const use = (name: string): void => void uses.set(name, (uses.get(name) ?? 0) + 1);
  for (const { inputs } of nodes) for (const name of inputs) use(name);
  for (const { name } of outputs) use(name);
  return uses;
}

function firstUsers({ nodes }: OnnxGraph): ReadonlyMap<string, OnnxNode> {
  const users = new Map<string, OnnxNode>();
  for (const node of nodes) for (const name of node.inputs) if (!users.has(name)) users.set(name, node);
  return users;
}
