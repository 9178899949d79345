/** Functions are put in the place of their calls: they must come to an end, and not fill the memory. */
import { HearthError } from "../../error.ts";
import { fault } from "./fault.ts";
import { limits } from "./limits.ts";
import type { OnnxFunction, OnnxGraph, OnnxModel, OnnxNode } from "./types.ts";

/** Which function a node means. */
export function functionKey({ domain, name, overload }: Pick<OnnxFunction, "domain" | "name" | "overload">): string {
  return JSON.stringify([domain, name, overload]);
}

interface Counting {
  readonly name: string;
  readonly functions: ReadonlyMap<string, OnnxFunction>;
  /** Nodes of each function; undefined: it is being counted. */
  readonly counts: Map<string, number | undefined>;
}

export function checkFunctions({ graph, functions }: OnnxModel, name: string): void {
  const byKey = new Map<string, OnnxFunction>();
  for (const item of functions) {
    const key = functionKey(item);
    if (byKey.has(key)) throw fault(name, item.name, "is a function twice");
    byKey.set(key, item);
  }
  const counting: Counting = { name, functions: byKey, counts: new Map() };
  for (const key of byKey.keys()) countFunction(counting, key);
  const total = countNodes(counting, graph.nodes);
  if (total > limits.nodes) {
    throw new HearthError("model_unsupported", `${name} has ${total} nodes; at most ${limits.nodes} are allowed.`, {
      hint: "Export the model in parts.",
      details: { field: "graph" },
    });
  }
}

function countFunction(counting: Counting, key: string): number {
  const { functions, counts, name } = counting;
  const found = functions.get(key);
  if (!found) return 1;
  if (counts.has(key)) {
    const count = counts.get(key);
    if (count === undefined) throw fault(name, found.name, "is a function that calls itself");
    return count;
  }
  // As deep as functions call each other, which is bounded here.
  if (counts.size > 4096) throw fault(name, "functions", "are more than 4096");
  counts.set(key, undefined);
  const count = countNodes(counting, found.nodes);
  counts.set(key, count);
  return count;
}

function countNodes(counting: Counting, nodes: readonly OnnxNode[]): number {
  let total = 0;
  for (const node of nodes) {
    const key = counting.functions.size === 0 ? "" : functionKey({ ...node, name: node.operator });
    total += key === "" ? 1 : countFunction(counting, key);
    for (const graph of graphsOf(node)) total += countNodes(counting, graph.nodes);
  }
  return total;
}

/** Graphs that are attributes. */
export function graphsOf({ attributes }: OnnxNode): OnnxGraph[] {
  return [...attributes.values()].flatMap((attribute) => {
    if (attribute.kind === "graph") return [attribute.value];
    return attribute.kind === "graphs" ? [...attribute.value] : [];
  });
}
