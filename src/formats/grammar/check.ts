import { HearthError } from "../../error.ts";
import { parseGrammar } from "./parse.ts";
import type { Grammar, GrammarNode, Sequence } from "./parse.ts";

const maxRules = 4000;
const maxRepeat = 2000;
/** How large a grammar is once its repetitions are written out. */
const maxSize = 100_000;

/**
 * Parses a grammar and refuses what llama.cpp would not survive: it recurses along rules, writes repetitions out, and
 * where a rule can come back to itself without a character in between, it takes memory until there is none.
 */
export function checkGrammar(text: string): Grammar {
  const grammar = parseGrammar(text);
  if (grammar.size > maxRules) throw refusal(`has ${grammar.size} rules; at most ${maxRules} are possible`);
  if (!grammar.has("root")) throw refusal("has no rule named root");
  const empty = emptyRules(grammar);
  let size = 0;
  for (const [name, options] of grammar) {
    for (const node of options.flat()) {
      checkNode(node, { name, grammar, empty });
      size += sizeOf(node);
    }
    if (size > maxSize) throw refusal("becomes too large when its repetitions are written out");
  }
  checkLeft(grammar, empty);
  return grammar;
}

interface Place {
  readonly name: string;
  readonly grammar: Grammar;
  readonly empty: ReadonlySet<string>;
}

function checkNode(node: GrammarNode, place: Place): void {
  if (node.kind === "rule" && !place.grammar.has(node.name))
    throw refusal(`uses a rule ${node.name} that it does not have`);
  if (node.kind === "choice") for (const inner of node.options.flat()) checkNode(inner, place);
  if (node.kind !== "repeat") return;
  const { least, most } = node;
  if (Math.max(least, most === Infinity ? 0 : most) > maxRepeat) {
    throw refusal(`repeats more than ${maxRepeat} times in the rule ${place.name}`);
  }
  if (most > 1 && isEmpty(node.node, place.empty)) {
    throw refusal(`repeats something that may be empty in the rule ${place.name}`);
  }
  checkNode(node.node, place);
}

function sizeOf(node: GrammarNode): number {
  if (node.kind === "choice") return 1 + node.options.flat().reduce((sum, inner) => sum + sizeOf(inner), 0);
  if (node.kind !== "repeat") return 1;
  return 1 + sizeOf(node.node) * Math.max(1, node.least, node.most === Infinity ? 0 : node.most);
}

/** Rules that may come to nothing. */
function emptyRules(grammar: Grammar): ReadonlySet<string> {
  const empty = new Set<string>();
  for (let before = -1; before < empty.size;) {
    before = empty.size;
    for (const [name, options] of grammar) {
      if (options.some((sequence) => sequence.every((node) => isEmpty(node, empty)))) empty.add(name);
    }
  }
  return empty;
}

function isEmpty(node: GrammarNode, empty: ReadonlySet<string>): boolean {
  switch (node.kind) {
    case "text":
      return node.empty;
    case "rule":
      return empty.has(node.name);
    case "choice":
      return node.options.some((sequence) => sequence.every((inner) => isEmpty(inner, empty)));
    default:
      return node.least === 0 || isEmpty(node.node, empty);
  }
}

/** No rule may lead back to itself before its first character. */
function checkLeft(grammar: Grammar, empty: ReadonlySet<string>): void {
  const done = new Set<string>();
  for (const start of grammar.keys()) {
    const path: { name: string; edges: string[] }[] = [];
    const open = new Set<string>();
    const enter = (name: string): void => {
      if (open.has(name)) throw refusal(`has a rule ${name} that leads back to itself before its first character`);
      if (done.has(name)) return;
      open.add(name);
      path.push({ name, edges: (grammar.get(name) ?? []).flatMap((sequence) => leftRules(sequence, empty)) });
    };
    enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const edge = top.edges.pop();
      if (edge !== undefined) {
        enter(edge);
        continue;
      }
      path.pop();
      open.delete(top.name);
      done.add(top.name);
    }
  }
}

/** Rules that a sequence may begin with. */
function leftRules(sequence: Sequence, empty: ReadonlySet<string>): string[] {
  const names: string[] = [];
  for (const node of sequence) {
    names.push(...leftOf(node, empty));
    if (!isEmpty(node, empty)) break;
  }
  return names;
}

function leftOf(node: GrammarNode, empty: ReadonlySet<string>): string[] {
  if (node.kind === "rule") return [node.name];
  if (node.kind === "choice") return node.options.flatMap((sequence) => leftRules(sequence, empty));
  return node.kind === "repeat" ? leftOf(node.node, empty) : [];
}

function refusal(what: string): HearthError {
  return new HearthError("grammar_invalid", `The grammar ${what}.`);
}
