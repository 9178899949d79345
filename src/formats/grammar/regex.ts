import { repeat, writeRules } from "./gbnf.ts";
import type { CodePoints } from "./ranges.ts";
import { anyCharacter, commonRanges, withoutRanges } from "./ranges.ts";
import type { RegexNode } from "./regex-parse.ts";
import { parseRegex } from "./regex-parse.ts";

/** The grammar of the texts that a pattern matches as a whole. Throws `grammar_invalid` for what is no such pattern. */
export function regexGrammar(pattern: string): string {
  return writeRules(write(parseRegex(pattern).node, plainText), new Map());
}

/**
 * The body of a rule for JSON strings that the pattern finds something in, as the keyword `pattern` asks, without the
 * quotes.
 */
export function regexString(pattern: string): string {
  const { node, fromStart, toEnd } = parseRegex(pattern);
  const anything = `(${jsonText(anyCharacter)})*`;
  const parts = [fromStart ? "" : anything, `(${write(node, jsonText)})`, toEnd ? "" : anything];
  return parts.filter((part) => part !== "").join(" ");
}

/** How one character of a set is written. */
type Spelling = (ranges: CodePoints) => string;

function write(node: RegexNode, spell: Spelling): string {
  switch (node.kind) {
    case "characters":
      return spell(node.ranges);
    case "sequence":
      return node.items.length === 0 ? '""' : node.items.map((item) => writeItem(item, spell)).join(" ");
    case "choice":
      return node.options.map((option) => write(option, spell)).join(" | ");
    case "repeat":
      return writeItem(node, spell);
  }
}

function writeItem(node: RegexNode, spell: Spelling): string {
  if (node.kind !== "repeat") return `(${write(node, spell)})`;
  return repeat(`(${write(node.node, spell)})`, node.least, node.most === Infinity ? undefined : node.most);
}

function plainText(ranges: CodePoints): string {
  return `[${ranges.map(([from, to]) => (from === to ? escaped(from) : `${escaped(from)}-${escaped(to)}`)).join("")}]`;
}

/** Characters that JSON strings spell with a backslash, and the letter behind it. */
const shortEscapes: readonly (readonly [number, string])[] = [
  [0x22, '\\"'],
  [0x5c, "\\\\"],
  [0x08, "b"],
  [0x0c, "f"],
  [0x0a, "n"],
  [0x0d, "r"],
  [0x09, "t"],
];
const controls: CodePoints = [
  [0, 0x1f],
  [0x7f, 0x7f],
];
const special: CodePoints = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x7f, 0x7f],
];

function jsonText(ranges: CodePoints): string {
  const plain = withoutRanges(ranges, special);
  const options = plain.length === 0 ? [] : [plainText(plain)];
  const has = (code: number): boolean => ranges.some(([from, to]) => code >= from && code <= to);
  for (const [code, letter] of shortEscapes) if (has(code)) options.push(String.raw`"\\${letter}"`);
  for (const [from, to] of commonRanges(ranges, controls)) {
    for (let code = from; code <= to; code++) {
      if (shortEscapes.some(([short]) => short === code)) continue;
      options.push(String.raw`"\\u${code.toString(16).padStart(4, "0")}"`);
    }
  }
  return options.join(" | ");
}

function escaped(code: number): string {
  if ((code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)) {
    return String.fromCharCode(code);
  }
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
