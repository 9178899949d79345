/** Pieces of GBNF, the grammar language of llama.cpp. */

/** A literal, quoted. */
export function literal(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  return `"${text.replaceAll(/["\\\n\r\t]/g, (character) => escapes[character] ?? character)}"`;
}

/** `item` between `least` and `most` times; without `most` as often as it likes. */
export function repeat(item: string, least: number, most?: number): string {
  if (most === 0) return '""';
  if (least === 0 && most === undefined) return `${item}*`;
  if (least === 1 && most === undefined) return `${item}+`;
  if (least === 0 && most === 1) return `${item}?`;
  if (least === 1 && most === 1) return item;
  return most === least ? `${item}{${least}}` : `${item}{${least},${most ?? ""}}`;
}

/** Rules that JSON grammars are made of. White space is bounded: a model cannot idle in it. */
export const jsonRules: Readonly<Record<string, string>> = {
  ws: String.raw`| " " | "\n" [ \t]{0,20}`,
  character: String.raw`[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})`,
  string: String.raw`"\"" character* "\""`,
  integer: `"-"? ("0" | [1-9] [0-9]{0,15})`,
  number: `integer ("." [0-9]{1,17})? ([eE] [-+]? [0-9]{1,2})?`,
  boolean: `"true" | "false"`,
  null: `"null"`,
  value: "object | array | string | number | boolean | null",
  object: `"{" ws (string ":" ws value ("," ws string ":" ws value)*)? ws "}"`,
  array: `"[" ws (value ("," ws value)*)? ws "]"`,
};

/** What each rule above needs. */
const needs: Readonly<Record<string, readonly string[]>> = {
  string: ["character"],
  number: ["integer"],
  value: ["object", "array", "string", "number", "boolean", "null"],
  object: ["ws", "string", "value"],
  array: ["ws", "value"],
};

/** Adds a JSON rule and all that it needs. */
export function addJsonRule(rules: Map<string, string>, name: string): void {
  if (rules.has(name)) return;
  rules.set(name, jsonRules[name] ?? '""');
  for (const other of needs[name] ?? []) addJsonRule(rules, other);
}

export function writeRules(root: string, rules: ReadonlyMap<string, string>): string {
  return [["root", root], ...rules].map(([name, body]) => `${name} ::= ${body}\n`).join("");
}

/** Any JSON object. */
export function jsonObjectGrammar(): string {
  const rules = new Map<string, string>();
  addJsonRule(rules, "object");
  return writeRules("object", rules);
}
