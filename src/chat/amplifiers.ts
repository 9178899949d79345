/** Checks of the operations whose result can be much longer than what goes in, made before they run. */
import { stopped } from "./limits.ts";
import type { Meter } from "./limits.ts";
import type { JinjaValue } from "./jinja.ts";

export interface FilterCall {
  readonly name: string;
  readonly operand: JinjaValue;
  readonly positional: readonly JinjaValue[];
  readonly named: ReadonlyMap<string, JinjaValue>;
}

export function checkFilter({ name, operand, positional, named }: FilterCall, meter: Meter): void {
  switch (name) {
    case "replace":
      checkReplace(textOf(operand), positional, meter);
      break;
    case "indent": {
      const width = numberOf(positional[0] ?? named.get("width"), 4);
      checkWidth(width, meter);
      const text = textOf(operand);
      meter.chars(text.length + width * count(text, "\n", meter.limits.textChars));
      break;
    }
    case "join": {
      const inner: unknown = operand.value;
      const length = typeof inner === "string" || Array.isArray(inner) ? inner.length : 0;
      const separator = textOf(positional[0] ?? named.get("separator"));
      meter.chars(separator.length * length);
      meter.items(length);
      break;
    }
    case "tojson": {
      const indent = numberOf(named.get("indent"), 0);
      checkWidth(indent, meter);
      measure(operand, meter, indent);
      break;
    }
    default:
  }
}

function checkWidth(width: number, meter: Meter): void {
  if (width < 0 || width > 1024) throw stopped(`it indents by ${width}`);
  meter.items(width);
}

const checked = new WeakSet<JinjaValue>();

/** `replace` and `split` as methods of a text: the same checks, made when they are called. */
export function checkMember(
  name: "replace" | "split",
  owner: JinjaValue,
  method: JinjaValue,
  meter: Meter,
): JinjaValue {
  const text: unknown = owner.value;
  const call: unknown = method.value;
  if (typeof text !== "string" || typeof call !== "function" || checked.has(method)) return method;
  checked.add(method);
  const target = method as unknown as { value: (args: JinjaValue[], scope: unknown) => JinjaValue };
  const original = target.value;
  target.value = (args, scope) => {
    if (name === "replace") checkReplace(text, args, meter);
    else checkSplit(text, args[0], meter);
    return original(args, scope);
  };
  return method;
}

function checkReplace(text: string, [from, to]: readonly JinjaValue[], meter: Meter): void {
  const wanted = textOf(from);
  const replacement = textOf(to);
  meter.search(text.length, wanted.length);
  const most = wanted === "" ? text.length + 1 : Math.floor(text.length / wanted.length);
  const times = most * replacement.length < meter.limits.textChars ? most : count(text, wanted, meter.limits.textChars);
  meter.chars(text.length + times * replacement.length);
}

function checkSplit(text: string, separator: JinjaValue | undefined, meter: Meter): void {
  const wanted = textOf(separator);
  meter.search(text.length, Math.max(1, wanted.length));
  if (text.length <= meter.limits.items) return;
  if (wanted === "") meter.items(Math.ceil(text.length / 2));
  else meter.items(count(text, wanted, meter.limits.items) + 1);
}

/** `x in y` for two texts. */
export function checkSearch(text: JinjaValue, wanted: JinjaValue, meter: Meter): void {
  if (typeof text.value === "string" && typeof wanted.value === "string") {
    meter.search(text.value.length, wanted.value.length);
  }
}

/** Refuses lists and objects whose text would be too long or too deep; shared parts count as often as they appear. */
export function measure(value: JinjaValue, meter: Meter, indent = 0): void {
  const stack: { readonly value: JinjaValue; readonly depth: number }[] = [{ value, depth: 0 }];
  let nodes = 0;
  let chars = 0;
  for (let item = stack.pop(); item; item = stack.pop()) {
    nodes++;
    if (nodes > meter.limits.nodes) throw stopped(`it made a text of more than ${meter.limits.nodes} values`);
    if (item.depth > 200) throw stopped("it made a list of lists that is too deep");
    chars += 8 + indent * item.depth;
    const inner: unknown = item.value.value;
    if (typeof inner === "string") chars += inner.length;
    if (chars > meter.limits.textChars) meter.chars(chars);
    const depth = item.depth + 1;
    if (Array.isArray(inner)) {
      for (const child of inner) stack.push({ value: child as JinjaValue, depth });
    } else if (inner instanceof Map) {
      for (const [key, child] of inner as Map<string, JinjaValue>) {
        chars += key.length;
        stack.push({ value: child, depth });
      }
    }
  }
  meter.chars(chars);
}

function textOf(value: JinjaValue | undefined): string {
  const inner: unknown = value?.value;
  return typeof inner === "string" ? inner : "";
}

function numberOf(value: JinjaValue | undefined, initial: number): number {
  const inner: unknown = value?.value;
  return typeof inner === "number" ? inner : initial;
}

function count(text: string, wanted: string, most: number): number {
  if (wanted === "") return text.length + 1;
  let found = 0;
  for (let at = text.indexOf(wanted); at >= 0 && found < most; at = text.indexOf(wanted, at + wanted.length)) found++;
  return found;
}
