import type { CodePoints } from "./ranges.ts";
import { anyCharacter, withoutRanges } from "./ranges.ts";
import type { Cursor } from "./regex-class.ts";
import { readClass, readEscape, regexRefusal } from "./regex-class.ts";

export type RegexNode =
  | { readonly kind: "characters"; readonly ranges: CodePoints }
  | { readonly kind: "sequence"; readonly items: readonly RegexNode[] }
  | { readonly kind: "choice"; readonly options: readonly RegexNode[] }
  | { readonly kind: "repeat"; readonly node: RegexNode; readonly least: number; readonly most: number };

export interface Regex {
  readonly node: RegexNode;
  /** It began with ^. */
  readonly fromStart: boolean;
  /** It ended with $. */
  readonly toEnd: boolean;
}

const maxNesting = 32;
const lineEnds: CodePoints = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const quantifier = /[*+?]|\{\d{1,6}(?:,\d{0,6})?\}/y;

/**
 * Reads a regular expression of ECMAScript (flag u). Throws `grammar_invalid` with the offset of what is no regular
 * language or unknown: looking around, back references, word boundaries, anchors inside, \p classes.
 */
export function parseRegex(pattern: string): Regex {
  const fromStart = pattern.startsWith("^");
  const toEnd = /(?<!\\)(?:\\\\)*\$$/.test(pattern);
  const end = toEnd ? pattern.length - 1 : pattern.length;
  const cursor: Cursor = { pattern, end, at: fromStart ? 1 : 0 };
  const node = parseChoice(cursor, 0);
  if (cursor.at < end) throw regexRefusal(cursor, "a bracket that nothing opened");
  // `^a|b$` anchors only one end of each option.
  if (node.kind === "choice" && (fromStart || toEnd)) {
    throw regexRefusal({ ...cursor, at: 0 }, "an anchor beside alternatives; put them in brackets");
  }
  return { node, fromStart, toEnd };
}

function parseChoice(cursor: Cursor, depth: number): RegexNode {
  if (depth > maxNesting) throw regexRefusal(cursor, `nesting deeper than ${maxNesting} levels`);
  const options = [parseSequence(cursor, depth)];
  while (cursor.pattern[cursor.at] === "|" && cursor.at < cursor.end) {
    cursor.at++;
    options.push(parseSequence(cursor, depth));
  }
  const [only] = options;
  return options.length === 1 && only ? only : { kind: "choice", options };
}

function parseSequence(cursor: Cursor, depth: number): RegexNode {
  const items: RegexNode[] = [];
  while (cursor.at < cursor.end && !"|)".includes(cursor.pattern[cursor.at] ?? "")) {
    items.push(parseQuantifier(cursor, parseAtom(cursor, depth)));
  }
  return { kind: "sequence", items };
}

function parseAtom(cursor: Cursor, depth: number): RegexNode {
  const code = cursor.pattern.codePointAt(cursor.at) ?? 0;
  const character = String.fromCodePoint(code);
  switch (character) {
    case "(":
      return parseGroup(cursor, depth);
    case "[":
      return { kind: "characters", ranges: readClass(cursor) };
    case "\\":
      return { kind: "characters", ranges: readEscape(cursor) };
    case ".":
      cursor.at++;
      return { kind: "characters", ranges: withoutRanges(anyCharacter, lineEnds) };
    case "^":
    case "$":
      throw regexRefusal(cursor, "an anchor that is not at its end");
    case "*":
    case "+":
    case "?":
    case "{":
    case "}":
    case "]":
      throw regexRefusal(cursor, `a ${character} that must be escaped`);
    default:
      if (code >= 0xd800 && code <= 0xdfff) throw regexRefusal(cursor, "half of a surrogate pair");
      cursor.at += character.length;
      return { kind: "characters", ranges: [[code, code]] };
  }
}

function parseGroup(cursor: Cursor, depth: number): RegexNode {
  const start = cursor.at;
  const head = /\((?:\?(?::|<[A-Za-z_$][\w$]*>))?/y;
  head.lastIndex = start;
  cursor.at += head.exec(cursor.pattern)?.[0].length ?? 1;
  if (cursor.pattern[cursor.at] === "?") throw regexRefusal({ ...cursor, at: start }, "a group that looks around");
  const node = parseChoice(cursor, depth + 1);
  if (cursor.pattern[cursor.at] !== ")" || cursor.at >= cursor.end) {
    throw regexRefusal({ ...cursor, at: start }, "a bracket without its end");
  }
  cursor.at++;
  return node;
}

/** Lazy or not, the texts are the same. */
function parseQuantifier(cursor: Cursor, node: RegexNode): RegexNode {
  quantifier.lastIndex = cursor.at;
  const text = quantifier.exec(cursor.pattern)?.[0];
  if (text === undefined || cursor.at + text.length > cursor.end) return node;
  const start = cursor.at;
  cursor.at += text.length;
  if (cursor.pattern[cursor.at] === "?" && cursor.at < cursor.end) cursor.at++;
  const [least = 0, most = least] = text.startsWith("{")
    ? text
        .slice(1, -1)
        .split(",")
        .map((count) => (count === "" ? Infinity : Number(count)))
    : [text === "+" ? 1 : 0, text === "?" ? 1 : Infinity];
  if (least > most) throw regexRefusal({ ...cursor, at: start }, `the repetition ${text}`);
  return { kind: "repeat", node, least, most };
}
