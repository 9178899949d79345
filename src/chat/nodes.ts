/** One pass over a parsed template. */
import type { JinjaNode, JinjaProgram, JinjaValue } from "./jinja.ts";

export function isContainer(value: JinjaValue): boolean {
  const inner: unknown = value.value;
  return Array.isArray(inner) || inner instanceof Map;
}

/** Operators that turn their operands into text. */
const textual: ReadonlySet<string> = new Set(["~", "+", "==", "!="]);
const textualFilters: ReadonlySet<string> = new Set(["tojson", "join", "string"]);
const bodies = ["body", "alternate", "defaultBlock"] as const;

type Fields = Record<string, unknown>;

/** Nodes whose value needs a check of its own. */
export interface Marks {
  /** The value is turned into text. */
  readonly printed: ReadonlySet<JinjaNode>;
  /** The value is looped over. */
  readonly looped: ReadonlySet<JinjaNode>;
}

/**
 * Finds the nodes whose value needs a check, so that only those are checked at run time. `{% filter f %}` blocks become
 * filter expressions on the way, so that both forms pass the same checks.
 */
export function prepare(program: JinjaProgram): Marks {
  const printed = new Set<JinjaNode>();
  const looped = new Set<JinjaNode>();
  const print = (value: unknown): void => {
    if (isNode(value)) printed.add(value);
  };
  const stack: unknown[] = [program];
  while (stack.length > 0) {
    const item = stack.pop();
    if (Array.isArray(item)) {
      for (const entry of item) stack.push(entry);
    } else if (item instanceof Map) {
      for (const [key, value] of item) stack.push(key, value);
    } else if (isNode(item)) {
      const node = item as unknown as Fields;
      if (item.type === "FilterStatement") toExpression(node, program);
      if (item.type === "For") {
        const iterable = node["iterable"] as Fields & JinjaNode;
        const list = iterable.type === "SelectExpression" ? iterable["lhs"] : iterable;
        if (isNode(list)) looped.add(list);
      }
      for (const name of bodies) {
        const list = node[name];
        if (Array.isArray(list)) list.forEach(print);
      }
      if (item.type === "BinaryExpression" && textual.has(nameOf(node["operator"]))) {
        print(node["left"]);
        print(node["right"]);
      }
      if (item.type === "FilterExpression" && textualFilters.has(filterName(node["filter"]))) print(node["operand"]);
      for (const value of Object.values(node)) if (typeof value === "object" && value !== null) stack.push(value);
    }
  }
  return { printed, looped };
}

function toExpression(node: Fields, program: JinjaProgram): void {
  const block = Object.create(Object.getPrototypeOf(program) as object) as Fields;
  block["type"] = "Program";
  block["body"] = node["body"];
  node["type"] = "FilterExpression";
  node["operand"] = block;
  delete node["body"];
}

function isNode(value: unknown): value is JinjaNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function nameOf(value: unknown): string {
  const name = (value as Fields | undefined)?.["value"];
  return typeof name === "string" ? name : "";
}

function filterName(filter: unknown): string {
  const callee = (filter as Fields | undefined)?.["callee"];
  return nameOf(callee ?? filter);
}
