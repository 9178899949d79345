import { HearthError } from "../../../../error.ts";
import { printable } from "../../../../formats/gguf/malformed.ts";
import type { CodeSet } from "./sets.ts";
import { complement, ignoreCase, intersection, property, range, shorthand, union } from "./sets.ts";

/** A parsed regular expression. */
export type PatternNode =
  | { readonly kind: "set"; readonly set: CodeSet }
  /** Holds where the next code point is in the set; `end`: also at the end of the text. */
  | { readonly kind: "look"; readonly set: CodeSet; readonly end: boolean }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly items: readonly PatternNode[] }
  | RepeatNode;

export interface RepeatNode {
  readonly kind: "repeat";
  readonly item: PatternNode;
  readonly least: number;
  /** Infinity: no limit. */
  readonly most: number;
  readonly mode: "greedy" | "lazy" | "possessive";
}

/**
 * Reads the part of the Oniguruma syntax that tokenizers use and that one pass over the text can decide: sets,
 * groups, alternatives, repetition, and looking ahead by one character. Throws `model_unsupported` for the rest.
 */
export function parsePattern(source: string): PatternNode {
  const reader = new Reader(source);
  const node = parseChoice(reader, { fold: false, depth: 0 });
  if (!reader.done) reader.refuse("has a bracket that closes nothing");
  return node;
}

export function unsupportedPattern(source: string, why: string): HearthError {
  return new HearthError("model_unsupported", `The vocabulary's pattern "${printable(source, 60)}" ${why}.`, {
    hint: "Use the GGUF file of the model with another engine.",
  });
}

class Reader {
  readonly source: string;
  private at = 0;

  constructor(source: string) {
    this.source = source;
  }

  get done(): boolean {
    return this.at >= this.source.length;
  }

  peek(text: string): boolean {
    return this.source.startsWith(text, this.at);
  }

  accept(text: string): boolean {
    if (!this.peek(text)) return false;
    this.at += text.length;
    return true;
  }

  /** One code point. */
  next(): string {
    const code = this.source.codePointAt(this.at);
    if (code === undefined) this.refuse("ends too early");
    const text = String.fromCodePoint(code);
    this.at += text.length;
    return text;
  }

  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found) this.at += found[0].length;
    return found ?? undefined;
  }

  refuse(why: string): never {
    throw unsupportedPattern(this.source, why);
  }
}

interface Context {
  /** `(?i:…)`: case is ignored. */
  readonly fold: boolean;
  readonly depth: number;
}

function parseChoice(reader: Reader, context: Context): PatternNode {
  if (context.depth > 50) reader.refuse("is nested too deeply");
  const items = [parseSequence(reader, context)];
  while (reader.accept("|")) items.push(parseSequence(reader, context));
  const [only] = items;
  return only && items.length === 1 ? only : { kind: "choice", items };
}

function parseSequence(reader: Reader, context: Context): PatternNode {
  const items: PatternNode[] = [];
  while (!reader.done && !reader.peek("|") && !reader.peek(")")) {
    items.push(parseRepeat(reader, parseItem(reader, context)));
  }
  const [only] = items;
  return only && items.length === 1 ? only : { kind: "sequence", items };
}

function parseRepeat(reader: Reader, item: PatternNode): PatternNode {
  const found = reader.match(/[*+?]|\{(\d{1,4})(,(\d{1,4})?)?\}/y);
  if (!found) return item;
  const [sign, low, comma, high] = found;
  const least = low === undefined ? (sign === "+" ? 1 : 0) : Number(low);
  const open = sign === "?" ? 1 : Infinity;
  const most = low === undefined ? open : high === undefined ? (comma ? Infinity : least) : Number(high);
  if (most < least) reader.refuse("repeats less often than it must");
  // As in Ruby, `{1,3}+` repeats the repetition.
  const again = low !== undefined && reader.accept("+");
  const mode = again ? "greedy" : reader.accept("+") ? "possessive" : reader.accept("?") ? "lazy" : "greedy";
  const node: RepeatNode = { kind: "repeat", item, least, most, mode };
  return again ? { kind: "repeat", item: node, least: 1, most: Infinity, mode } : node;
}

function parseItem(reader: Reader, context: Context): PatternNode {
  if (reader.accept("(")) return parseGroup(reader, context);
  // As in Ruby, whose syntax Oniguruma follows: at the end of a line.
  if (reader.accept("$")) return { kind: "look", set: range(0x0a, 0x0a), end: true };
  if (reader.peek("^") || reader.peek(")")) reader.refuse("looks back at the text before it");
  if (reader.accept(".")) return { kind: "set", set: complement(range(0x0a, 0x0a)) };
  if (reader.accept("[")) return { kind: "set", set: parseSet(reader, context) };
  if (reader.peek("*") || reader.peek("+") || reader.peek("?")) reader.refuse("repeats nothing");
  if (reader.accept("\\")) return { kind: "set", set: parseEscape(reader, context) };
  return { kind: "set", set: literal(reader.next(), context) };
}

function parseGroup(reader: Reader, context: Context): PatternNode {
  const inner = { ...context, depth: context.depth + 1 };
  const negative = reader.accept("?!");
  if (negative || reader.accept("?=")) {
    const look = parseChoice(reader, inner);
    close(reader);
    return lookAhead(reader, look, negative);
  }
  const fold = reader.accept("?i:");
  if (!fold && !reader.accept("?:") && reader.peek("?")) reader.refuse("has a group of an unknown kind");
  const node = parseChoice(reader, fold ? { ...inner, fold } : inner);
  close(reader);
  return node;
}

function close(reader: Reader): void {
  if (!reader.accept(")")) reader.refuse("has an open bracket");
}

function lookAhead(reader: Reader, node: PatternNode, negative: boolean): PatternNode {
  if (node.kind !== "set") return reader.refuse("looks ahead by more than one character");
  return negative
    ? { kind: "look", set: complement(node.set), end: true }
    : { kind: "look", set: node.set, end: false };
}

function literal(text: string, { fold }: Context): CodeSet {
  const code = text.codePointAt(0) ?? 0;
  return fold ? ignoreCase(code) : range(code, code);
}

const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7, e: 27, "0": 0 };

/** What stands behind a backslash. */
function parseEscape(reader: Reader, context: Context): CodeSet {
  const hex = reader.match(/u([0-9a-fA-F]{4})|x\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})/y);
  if (hex) {
    const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? "0", 16);
    return range(code, code);
  }
  const named = reader.match(/([pP])\{(\^?)([^}]{1,80})\}/y);
  if (named) return parseProperty(reader, named);
  const text = reader.next();
  const short = shorthand(text);
  if (short) return short;
  const code = controls[text];
  if (code !== undefined) return range(code, code);
  if (/[A-Za-z0-9]/.test(text)) reader.refuse(`has \\${text}, which is not supported`);
  return literal(text, context);
}

function parseProperty(reader: Reader, [, letter, caret, name = ""]: RegExpExecArray): CodeSet {
  const set = property(name);
  if (!set) return reader.refuse("names an unknown class of characters");
  return (letter === "P") !== (caret === "^") ? complement(set) : set;
}

/** Behind the opening bracket: `[^a-z\s&&[^b]]`. */
function parseSet(reader: Reader, context: Context): CodeSet {
  if (context.depth > 50) reader.refuse("is nested too deeply");
  const negative = reader.accept("^");
  const operands: CodeSet[] = [];
  let items: CodeSet[] = [];
  for (let first = true; first || !reader.peek("]"); first = false) {
    if (reader.accept("&&")) {
      operands.push(union(items));
      items = [];
    } else items.push(parseSetItem(reader, { ...context, depth: context.depth + 1 }));
  }
  reader.accept("]");
  const set = intersection([...operands, union(items)]);
  return negative ? complement(set) : set;
}

function parseSetItem(reader: Reader, context: Context): CodeSet {
  if (reader.accept("[")) {
    if (reader.peek(":")) reader.refuse("has a POSIX class");
    return parseSet(reader, context);
  }
  const first = parseSetMember(reader, context);
  if (first.code === undefined || !reader.peek("-") || reader.peek("-]")) return first.set;
  reader.accept("-");
  const last = parseSetMember(reader, context);
  if (last.code === undefined || last.code < first.code) reader.refuse("has a range that runs backwards");
  const set = range(first.code, last.code);
  return context.fold ? foldRange(reader, first.code, last.code) : set;
}

/** Ranges of ASCII letters in both cases; others have none. */
function foldRange(reader: Reader, first: number, last: number): CodeSet {
  if (last - first > 127) reader.refuse("ignores the case of a long range");
  return union(Array.from({ length: last - first + 1 }, (_, index) => ignoreCase(first + index)));
}

/** One code point, or a class of them, which has no `code`. */
function parseSetMember(reader: Reader, context: Context): { readonly set: CodeSet; readonly code?: number } {
  if (!reader.accept("\\")) {
    const text = reader.next();
    return { set: literal(text, context), code: text.codePointAt(0) ?? 0 };
  }
  const set = parseEscape(reader, { ...context, fold: false });
  const single = /^(\d+)-\1$/.exec(set.key);
  if (!single) return { set };
  const code = Number(single[1]);
  return { set: literal(String.fromCodePoint(code), context), code };
}
