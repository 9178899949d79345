import { HearthError } from "../../../../error.ts";
import type { ByteRules, Symbol } from "./lower.ts";

/** A grammar over bytes in flat tables. A position is a place in an alternative of a rule. */
export interface Program {
  /** Position → what stands there: a rule (0 or more), the end of the alternative (-1), else terminal -2 - value. */
  readonly symbols: Int32Array;
  /** Rule → positions that its alternatives begin at. */
  readonly starts: readonly Int32Array[];
  /** Rule → 1: it may come to nothing. */
  readonly nullable: Uint8Array;
  /** Rule → its place in an order in which a rule comes before those that it may begin with. */
  readonly rank: Int32Array;
  /** Byte → class; bytes of one class are the same to every terminal. */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** Terminal → class → 1: matches. */
  readonly terminals: readonly Uint8Array[];
  /** A position with nothing behind it: where the whole text ends. */
  readonly end: number;
}

export const endOfAlternative = -1;

/** Throws `grammar_invalid` where a rule leads back to itself before its first byte. */
export function createProgram(rules: ByteRules): Program {
  const numbering = createNumbering();
  const symbols: number[] = [];
  const starts = rules.map((options) =>
    Int32Array.from(options, (option) => {
      const start = symbols.length;
      for (const symbol of option) symbols.push("rule" in symbol ? symbol.rule : -2 - numbering.number(symbol));
      symbols.push(endOfAlternative);
      return start;
    }),
  );
  const end = symbols.push(endOfAlternative) - 1;
  const { classOf, classes, terminals } = classify(numbering.sets);
  const nullable = findNullable(rules);
  const rank = rankRules(rules, nullable);
  return { symbols: Int32Array.from(symbols), starts, nullable, rank, classOf, classes, terminals, end };
}

type ByteSet = Extract<Symbol, { bytes: unknown }>;

/** Equal sets of bytes are one terminal. */
function createNumbering(): { sets: ByteSet[]; number(set: ByteSet): number } {
  const numbers = new Map<string, number>();
  const sets: ByteSet[] = [];
  return {
    sets,
    number(set) {
      const key = set.bytes.join(" ");
      const known = numbers.get(key) ?? sets.push(set) - 1;
      numbers.set(key, known);
      return known;
    },
  };
}

function classify(sets: readonly ByteSet[]): Pick<Program, "classOf" | "classes" | "terminals"> {
  const classOf = new Uint8Array(256);
  const members = sets.map(({ bytes }) => {
    const member = new Uint8Array(256);
    for (const [from, to] of bytes) member.fill(1, from, to + 1);
    return member;
  });
  // Each set splits the classes so far into those in it and those not.
  let classes = 1;
  for (const member of members) {
    const split = new Int16Array(classes * 2).fill(-1);
    classes = 0;
    for (let byte = 0; byte < 256; byte++) {
      const key = (classOf[byte] ?? 0) * 2 + (member[byte] ?? 0);
      if (split[key] === -1) split[key] = classes++;
      classOf[byte] = split[key] ?? 0;
    }
  }
  const terminals = members.map((member) => {
    const matches = new Uint8Array(classes);
    for (let byte = 0; byte < 256; byte++) matches[classOf[byte] ?? 0] = member[byte] ?? 0;
    return matches;
  });
  return { classOf, classes, terminals };
}

function findNullable(rules: ByteRules): Uint8Array {
  const nullable = new Uint8Array(rules.length);
  const users = new Map<number, number[]>();
  const queue: number[] = [];
  const isNullable = (rule: number): boolean =>
    (rules[rule] ?? []).some((option) => option.every((symbol) => "rule" in symbol && nullable[symbol.rule] === 1));
  const visit = (rule: number): void => {
    if (nullable[rule] === 1 || !isNullable(rule)) return;
    nullable[rule] = 1;
    queue.push(rule);
  };
  for (const [rule, options] of rules.entries()) {
    for (const symbol of options.flat()) {
      if (!("rule" in symbol)) continue;
      const list = users.get(symbol.rule);
      if (list) list.push(rule);
      else users.set(symbol.rule, [rule]);
    }
  }
  for (const rule of rules.keys()) visit(rule);
  for (let next = queue.pop(); next !== undefined; next = queue.pop())
    for (const user of users.get(next) ?? []) visit(user);
  return nullable;
}

/** Rules that a rule may begin with. */
function leftRules(options: readonly (readonly Symbol[])[], nullable: Uint8Array): number[] {
  const found: number[] = [];
  for (const option of options) {
    for (const symbol of option) {
      if (!("rule" in symbol)) break;
      found.push(symbol.rule);
      if (nullable[symbol.rule] !== 1) break;
    }
  }
  return found;
}

function rankRules(rules: ByteRules, nullable: Uint8Array): Int32Array {
  const rank = new Int32Array(rules.length).fill(-1);
  const open = new Uint8Array(rules.length);
  let next = rules.length;
  for (const start of rules.keys()) {
    const path: { rule: number; edges: number[] }[] = [];
    const enter = (rule: number): void => {
      if (open[rule] === 1) {
        throw new HearthError(
          "grammar_invalid",
          "The grammar has a rule that leads back to itself before its first character.",
        );
      }
      if (rank[rule] !== -1) return;
      open[rule] = 1;
      path.push({ rule, edges: leftRules(rules[rule] ?? [], nullable) });
    };
    enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const edge = top.edges.pop();
      if (edge !== undefined) {
        enter(edge);
        continue;
      }
      path.pop();
      open[top.rule] = 0;
      rank[top.rule] = --next;
    }
  }
  return rank;
}
