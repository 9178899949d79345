import { parsePattern, unsupportedPattern } from "./parse.ts";
import type { PatternNode, RepeatNode } from "./parse.ts";
import { complement } from "./sets.ts";
import type { CodeSet } from "./sets.ts";

/** What a state of the program does. */
export const opMatch = 0;
/** Takes a code point of set `first`, then goes to `second`. */
export const opTake = 1;
/** Tries `first`, then `second`. */
export const opSplit = 2;
/** Goes to `second` where the next code point is in set `first`. */
export const opLook = 3;
/** As `opLook`, and at the end of the text. */
export const opLookOrEnd = 4;

/** A nondeterministic automaton whose states are tried in order: the first alternative that matches wins. */
export interface Program {
  readonly source: string;
  readonly operations: readonly number[];
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly start: number;
  /** At most 31, so that one number says which of them hold a code point. */
  readonly sets: readonly CodeSet[];
}

const mostStates = 4096;
const mostSets = 31;

/** Compiles a pattern (K. Thompson 1968). Throws `model_unsupported` where `parsePattern` does, and for large patterns. */
export function compilePattern(source: string): Program {
  const builder = new Builder(source);
  const match = builder.add(opMatch, 0, 0);
  const start = builder.build(parsePattern(source), match);
  return { ...builder.program, source, start };
}

class Builder {
  private readonly source: string;
  private readonly numbers = new Map<string, number>();
  readonly program: { operations: number[]; first: number[]; second: number[]; sets: CodeSet[] } = {
    operations: [],
    first: [],
    second: [],
    sets: [],
  };

  constructor(source: string) {
    this.source = source;
  }

  add(operation: number, first: number, second: number): number {
    const { program } = this;
    if (program.operations.length >= mostStates) throw unsupportedPattern(this.source, "is too large");
    program.first.push(first);
    program.second.push(second);
    return program.operations.push(operation) - 1;
  }

  /** States that match the node and then go on at `next`; returns the first of them. */
  build(node: PatternNode, next: number): number {
    switch (node.kind) {
      case "set":
        return this.add(opTake, this.setNumber(node.set), next);
      case "look":
        return this.add(node.end ? opLookOrEnd : opLook, this.setNumber(node.set), next);
      case "sequence":
        return node.items.reduceRight((after, item) => this.build(item, after), next);
      case "choice":
        return this.buildChoice(node.items, next);
      case "repeat":
        return this.buildRepeat(node, next);
    }
  }

  private buildChoice(items: readonly PatternNode[], next: number): number {
    const starts = items.map((item) => this.build(item, next));
    return starts.reduceRight((after, start) => this.add(opSplit, start, after));
  }

  private buildRepeat(node: RepeatNode, next: number): number {
    const { item, least, most, mode } = node;
    const exit = mode === "possessive" ? this.buildEnough(item, next) : next;
    const split = (again: number): number =>
      mode === "lazy" ? this.add(opSplit, exit, again) : this.add(opSplit, again, exit);
    let at = next;
    if (most === Infinity) {
      at = split(0);
      const body = this.build(item, at);
      (mode === "lazy" ? this.program.second : this.program.first)[at] = body;
      if (least > 0) return this.repeat(item, least - 1, body);
    } else {
      for (let count = least; count < most; count++) at = split(this.build(item, at));
    }
    return this.repeat(item, least, at);
  }

  /** Gives nothing back: a possessive repetition ends early only where the next character is another one. */
  private buildEnough(item: PatternNode, next: number): number {
    if (item.kind !== "set") throw unsupportedPattern(this.source, "repeats a group possessively");
    return this.add(opLookOrEnd, this.setNumber(complement(item.set)), next);
  }

  private repeat(item: PatternNode, times: number, next: number): number {
    let at = next;
    for (let count = 0; count < times; count++) {
      const start = this.build(item, at);
      // An item that takes nothing is the same however often it stands there.
      if (start === at) break;
      at = start;
    }
    return at;
  }

  private setNumber(set: CodeSet): number {
    const known = this.numbers.get(set.key);
    if (known !== undefined) return known;
    if (this.program.sets.length >= mostSets) throw unsupportedPattern(this.source, "has too many sets of characters");
    const index = this.program.sets.push(set) - 1;
    this.numbers.set(set.key, index);
    return index;
  }
}
