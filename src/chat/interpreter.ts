import { checkFilter, checkMember, checkSearch, measure } from "./amplifiers.ts";
import { Interpreter } from "./jinja.ts";
import type { JinjaNode, JinjaScope, JinjaValue } from "./jinja.ts";
import { stopped } from "./limits.ts";
import type { Meter } from "./limits.ts";

import { isContainer } from "./nodes.ts";
import type { Marks } from "./nodes.ts";

/** A value that was computed already, where the interpreter expects a node. */
interface Known extends JinjaNode {
  readonly type: "Known";
  readonly known: JinjaValue;
}

/**
 * The Jinja interpreter with every node metered: hostile templates end with an error instead of taking all time or
 * memory. Runs in this thread, because a normal template is done long before a message to another thread arrives.
 */
export class BoundedInterpreter extends Interpreter {
  readonly #meter: Meter;
  readonly #marks: Marks;
  #depth = 0;

  constructor(scope: JinjaScope, meter: Meter, marks: Marks) {
    super(scope);
    this.#meter = meter;
    this.#marks = marks;
  }

  override evaluate(node: JinjaNode | undefined, scope: JinjaScope): JinjaValue {
    if (!node) return super.evaluate(node, scope);
    this.#meter.step();
    if (++this.#depth > this.#meter.limits.depth) throw stopped("it is nested too deeply");
    try {
      const value = this.#step(node, scope);
      const inner: unknown = value.value;
      if (typeof inner === "string") this.#meter.chars(inner.length);
      else if (Array.isArray(inner)) this.#meter.items(inner.length);
      if (isContainer(value)) {
        if (this.#marks.looped.has(node)) this.#meter.loop(Array.isArray(inner) ? inner.length : 0);
        if (this.#marks.printed.has(node)) measure(value, this.#meter);
      }
      return value;
    } finally {
      this.#depth--;
    }
  }

  #step(node: JinjaNode, scope: JinjaScope): JinjaValue {
    switch (node.type) {
      case "Known":
        return (node as Known).known;
      case "FilterExpression":
        return this.#filter(node, scope);
      case "MemberExpression":
        return this.#member(node, scope);
      case "BinaryExpression":
        return this.#binary(node, scope);
      default:
        return super.evaluate(node, scope);
    }
  }

  #filter(node: JinjaNode, scope: JinjaScope): JinjaValue {
    const { operand, filter } = node as FilterNode;
    if (filter.type !== "CallExpression" || !amplifying.has(filter.callee?.value ?? "")) {
      return super.evaluate(node, scope);
    }
    const value = this.evaluate(operand, scope);
    const named = new Map<string, JinjaValue>();
    const positional: JinjaValue[] = [];
    const args = (filter.args ?? []).map((argument): JinjaNode => {
      if (argument.type.endsWith("SpreadExpression")) throw stopped("it unpacks the arguments of a filter");
      if (argument.type === "KeywordArgumentExpression") {
        const keyword = argument as KeywordNode;
        const result = this.evaluate(keyword.value, scope);
        named.set(keyword.key.value, result);
        return merged(keyword, { value: known(result) });
      }
      const result = this.evaluate(argument, scope);
      positional.push(result);
      return known(result);
    });
    checkFilter({ name: filter.callee?.value ?? "", operand: value, positional, named }, this.#meter);
    return super.evaluate(merged(node, { operand: known(value), filter: { ...filter, args } }), scope);
  }

  #member(node: JinjaNode, scope: JinjaScope): JinjaValue {
    const { object, property, computed } = node as MemberNode;
    if (computed) {
      const value = super.evaluate(node, scope);
      // A method that is looked up by a computed name would escape the checks on its arguments.
      if (value.type === "FunctionValue") throw stopped("it looks a method up by a computed name");
      return value;
    }
    if (property.value !== "replace" && property.value !== "split") return super.evaluate(node, scope);
    const owner = this.evaluate(object, scope);
    const method = super.evaluate(merged(node, { object: known(owner) }), scope);
    return checkMember(property.value, owner, method, this.#meter);
  }

  #binary(node: JinjaNode, scope: JinjaScope): JinjaValue {
    const { operator, left, right } = node as BinaryNode;
    if (operator.value !== "in" && operator.value !== "not in") return super.evaluate(node, scope);
    const wanted = this.evaluate(left, scope);
    const text = this.evaluate(right, scope);
    checkSearch(text, wanted, this.#meter);
    return super.evaluate(merged(node, { left: known(wanted), right: known(text) }), scope);
  }
}

/** Filters whose result can be much longer than what goes in. */
const amplifying: ReadonlySet<string> = new Set(["replace", "indent", "join", "tojson"]);

interface FilterNode extends JinjaNode {
  readonly operand: JinjaNode;
  readonly filter: JinjaNode & { readonly callee?: { readonly value?: string }; readonly args?: readonly JinjaNode[] };
}
interface KeywordNode extends JinjaNode {
  readonly key: { readonly value: string };
  readonly value: JinjaNode;
}
interface MemberNode extends JinjaNode {
  readonly object: JinjaNode;
  readonly property: JinjaNode & { readonly value?: unknown };
  readonly computed: boolean;
}
interface BinaryNode extends JinjaNode {
  readonly operator: { readonly value: string };
  readonly left: JinjaNode;
  readonly right: JinjaNode;
}

function known(value: JinjaValue): Known {
  return { type: "Known", known: value };
}

function merged(node: JinjaNode, fields: Readonly<Record<string, unknown>>): JinjaNode {
  return { ...node, ...fields };
}
