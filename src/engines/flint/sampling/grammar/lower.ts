import { malformed } from "../../../../formats/grammar/parse.ts";
import type { Grammar, GrammarNode, Sequence } from "../../../../formats/grammar/parse.ts";
import { classCharacters, literalCharacters } from "./literal.ts";
import type { ByteSequence } from "./utf8.ts";
import { byteSequences, encode } from "./utf8.ts";

/** What stands in a rule: a byte out of some ranges, or another rule by its number. */
export type Symbol = { readonly bytes: readonly (readonly [number, number])[] } | { readonly rule: number };

/** A grammar over bytes: rule → alternatives → symbols. The root is rule 0. */
export type ByteRules = (readonly (readonly Symbol[])[])[];

interface Lowering {
  readonly rules: ByteRules;
  readonly names: Map<string, number>;
  /** Rules that were made for a class or a repetition, by what they mean. */
  readonly made: Map<string, number>;
}

/**
 * Spells a checked grammar out in bytes; repetitions become rules that end with themselves. Throws `grammar_invalid`
 * with the offset of what cannot be enforced.
 */
export function lowerGrammar(grammar: Grammar): ByteRules {
  const names = new Map(["root", ...[...grammar.keys()].filter((name) => name !== "root")].map((name, i) => [name, i]));
  const lowering: Lowering = { rules: Array.from(names, () => []), names, made: new Map() };
  for (const [name, options] of grammar) {
    lowering.rules[names.get(name) ?? 0] = options.map((sequence) => lowerSequence(sequence, lowering));
  }
  return lowering.rules;
}

function lowerSequence(sequence: Sequence, lowering: Lowering): Symbol[] {
  return sequence.flatMap((node) => lowerNode(node, lowering));
}

function lowerNode(node: GrammarNode, lowering: Lowering): Symbol[] {
  switch (node.kind) {
    case "rule":
      return [{ rule: lowering.names.get(node.name) ?? 0 }];
    case "choice": {
      const options = node.options.map((sequence) => lowerSequence(sequence, lowering));
      return options.length === 1 ? (options[0] ?? []) : [addRule(options, lowering)];
    }
    case "repeat":
      return repeat(lowerNode(node.node, lowering), node, lowering);
    case "text":
      return node.empty ? [] : lowerText(node, lowering);
  }
}

function lowerText(node: Extract<GrammarNode, { kind: "text" }>, lowering: Lowering): Symbol[] {
  if (node.text.startsWith('"')) {
    return literalCharacters(node).flatMap((code) => encode(code).map((byte) => ({ bytes: [[byte, byte]] as const })));
  }
  if (/^!?</.test(node.text)) throw malformed(`the token ${node.text}, which this engine cannot enforce,`, node.at);
  return lowerClass(node, lowering);
}

function lowerClass(node: Extract<GrammarNode, { kind: "text" }>, lowering: Lowering): Symbol[] {
  const known = lowering.made.get(node.text);
  if (known !== undefined) return [{ rule: known }];
  const sequences = byteSequences(classCharacters(node));
  const single = sequences.filter(({ length }) => length === 1).flat();
  if (single.length > 0 && sequences.every(({ length }) => length === 1)) return [{ bytes: single }];
  const options: ByteSequence[] = sequences.filter(({ length }) => length > 1);
  const rule = addRule(
    [
      ...(single.length > 0 ? [[{ bytes: single }]] : []),
      ...options.map((sequence) => sequence.map((range) => ({ bytes: [range] }))),
    ],
    lowering,
  );
  lowering.made.set(node.text, rule.rule);
  return [rule];
}

function addRule(options: readonly (readonly Symbol[])[], { rules }: Lowering): { readonly rule: number } {
  rules.push(options);
  return { rule: rules.length - 1 };
}

interface Counts {
  readonly least: number;
  readonly most: number;
}

function repeat(item: readonly Symbol[], { least, most }: Counts, lowering: Lowering): Symbol[] {
  if (item.length === 0 || most === 0) return [];
  const [only] = item;
  const one = item.length === 1 && only ? only : addRule([item], lowering);
  const key = "rule" in one ? String(one.rule) : JSON.stringify(one.bytes);
  const required = Array.from({ length: least }, () => one);
  if (most === least) return required;
  if (most === Infinity) return [...required, star(one, key, lowering)];
  let rest: Symbol | undefined;
  for (let count = 1; count <= most - least; count++) {
    // One may follow, and then up to count - 1 others.
    rest = makeOnce(`${key}?${count}`, lowering, [[one, ...(rest ? [rest] : [])], []]);
  }
  return rest ? [...required, rest] : required;
}

function star(one: Symbol, key: string, lowering: Lowering): Symbol {
  const known = lowering.made.get(`${key}*`);
  if (known !== undefined) return { rule: known };
  const { rule } = addRule([], lowering);
  lowering.rules[rule] = [[one, { rule }], []];
  lowering.made.set(`${key}*`, rule);
  return { rule };
}

function makeOnce(key: string, lowering: Lowering, options: readonly (readonly Symbol[])[]): Symbol {
  const known = lowering.made.get(key);
  const rule = known ?? addRule(options, lowering).rule;
  lowering.made.set(key, rule);
  return { rule };
}
