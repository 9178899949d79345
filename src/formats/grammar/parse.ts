import { HearthError } from "../../error.ts";

/** What a sequence of a grammar is made of. */
export type GrammarNode =
  /** A literal, a class, a dot or a control token as written, with its quotes or brackets. */
  | { readonly kind: "text"; readonly text: string; readonly at: number; readonly empty: boolean }
  | { readonly kind: "rule"; readonly name: string }
  | { readonly kind: "choice"; readonly options: readonly Sequence[] }
  | { readonly kind: "repeat"; readonly node: GrammarNode; readonly least: number; readonly most: number };
export type Sequence = readonly GrammarNode[];
/** Rule name → its alternatives. */
export type Grammar = ReadonlyMap<string, readonly Sequence[]>;

const maxNesting = 64;
/** Repetitions of one item: `a?` is one, `a??` two. */
const maxRepeats = 4;

/** What a grammar is written with, in the order in which they are tried. */
const kinds: readonly (readonly [kind: string, pattern: string])[] = [
  ["space", String.raw`(?:[ \t\r]|#[^\n]*)+`],
  ["line", String.raw`\n`],
  ["define", "::="],
  ["literal", String.raw`"(?:\\[^]|[^"\\])*"`],
  ["class", String.raw`\[(?:\\[^]|[^\]\\])*\]`],
  ["control", String.raw`!?<[^<>\n]*>`],
  ["name", "[A-Za-z0-9-]+"],
  ["count", String.raw`\{[ \t]*\d{1,6}[ \t]*(?:,[ \t]*\d{0,6}[ \t]*)?\}`],
  ["sign", "[()|*+?.]"],
];
const token = new RegExp(kinds.map(([, pattern]) => `(${pattern})`).join("|"), "y");

interface Token {
  readonly kind: string;
  readonly text: string;
  readonly at: number;
}

/** Reads GBNF as llama.cpp does. Throws `grammar_invalid` with the offset of what it cannot read. */
export function parseGrammar(grammar: string): Grammar {
  const tokens = split(grammar);
  const rules = new Map<string, readonly Sequence[]>();
  let next = 0;
  const peek = (): Token => tokens[next] ?? { kind: "end", text: "", at: grammar.length };
  const skipLines = (): void => {
    while (peek().kind === "line") next++;
  };
  const fail = (what: string): HearthError => malformed(what, peek().at);

  const parseOptions = (depth: number): readonly Sequence[] => {
    if (depth > maxNesting) throw fail(`nesting deeper than ${maxNesting} levels`);
    const options = [parseSequence(depth)];
    while (peek().text === "|") {
      next++;
      skipLines();
      options.push(parseSequence(depth));
    }
    return options;
  };
  const parseSequence = (depth: number): Sequence => {
    const nodes: GrammarNode[] = [];
    let repeats = 0;
    for (;;) {
      if (depth > 0) skipLines();
      const { kind, text } = peek();
      const range = repetition(kind, text);
      if (range) {
        next++;
        const node = nodes.pop();
        if (!node || (node.kind === "text" && node.empty)) throw fail("a repetition of nothing");
        if (range.least > range.most) throw fail(`the repetition ${text}`);
        if (++repeats > maxRepeats) throw fail(`more than ${maxRepeats} repetitions of one item`);
        nodes.push({ kind: "repeat", node, ...range });
        continue;
      }
      const node = parseItem(depth);
      if (!node) return nodes;
      repeats = 0;
      nodes.push(node);
    }
  };
  const parseItem = (depth: number): GrammarNode | undefined => {
    const { kind, text, at } = peek();
    if (kind === "literal" || kind === "class") {
      next++;
      return { kind: "text", text, at, empty: text === '""' || text === "[]" || text === "[^]" };
    }
    if (kind === "control" || text === ".") {
      next++;
      return { kind: "text", text, at, empty: false };
    }
    if (kind === "name") {
      next++;
      return { kind: "rule", name: text };
    }
    if (text !== "(") return undefined;
    next++;
    skipLines();
    const options = parseOptions(depth + 1);
    if (peek().text !== ")") throw fail("a bracket without its end");
    next++;
    return { kind: "choice", options };
  };

  for (skipLines(); peek().kind !== "end"; skipLines()) {
    const name = peek();
    if (name.kind !== "name") throw fail("something that begins no rule");
    next++;
    if (peek().kind !== "define") throw fail(`the rule ${name.text} without ::=`);
    next++;
    skipLines();
    if (rules.has(name.text)) throw fail(`the rule ${name.text} a second time`);
    rules.set(name.text, parseOptions(0));
    if (peek().kind !== "line" && peek().kind !== "end") throw fail(`"${peek().text}" where a rule should end`);
  }
  return rules;
}

function split(grammar: string): Token[] {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < grammar.length) {
    const at = token.lastIndex;
    const [text, ...groups] = token.exec(grammar) ?? [];
    if (text === undefined) throw malformed("something that it cannot read", at);
    const [kind = ""] = kinds[groups.findIndex((group) => group !== undefined)] ?? [];
    if (kind !== "space") tokens.push({ kind, text, at });
  }
  return tokens;
}

function repetition(kind: string, text: string): { readonly least: number; readonly most: number } | undefined {
  if (text === "*") return { least: 0, most: Infinity };
  if (text === "+") return { least: 1, most: Infinity };
  if (text === "?") return { least: 0, most: 1 };
  if (kind !== "count") return undefined;
  const [first = "", second] = text.replaceAll(/[{}\s]/g, "").split(",");
  const least = Number(first);
  if (second === undefined) return { least, most: least };
  return { least, most: second === "" ? Infinity : Number(second) };
}

export function malformed(what: string, offset: number): HearthError {
  return new HearthError("grammar_invalid", `The grammar has ${what} at offset ${offset}.`, { details: { offset } });
}
