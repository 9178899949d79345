import { createClosure } from "./closure.ts";
import type { Program } from "./program.ts";

/**
 * A rule that is being matched, and the places where it goes on once the rule is complete: one node of a stack that
 * forks and joins, so that any number of ways to read a text share what they have in common. Nodes with equal places
 * are one object.
 */
export interface StackNode {
  readonly id: number;
  readonly positions: readonly number[];
  readonly nodes: readonly StackNode[];
}

/** All ways to read a text so far. States that stem from equal ways are one object. */
export interface State {
  readonly id: number;
  /** Terminals that the next byte may match, and the rule each stands in. */
  readonly positions: readonly number[];
  readonly nodes: readonly StackNode[];
  /** The text so far is a whole one. */
  readonly accepting: boolean;
  /** Numbers that were stored for it. */
  readonly cost: number;
  /** Class of bytes → next state, null: no way goes on, undefined: not yet known. */
  row: (State | null | undefined)[];
  /** The state that every plain character leads to (see `walk.ts`); null: there is none, undefined: not yet known. */
  afterPlain: State | null | undefined;
}

export interface Automaton {
  readonly start: State;
  /** Byte → its place in the rows of states. */
  readonly classOf: Uint8Array;
  /** The state behind a byte; null: the grammar does not allow it. */
  step(state: State, byte: number): State | null;
  /** Allows this many places to be looked at until the next call; beyond that `step` throws `grammar_invalid`. */
  grant(work: number): void;
  /** Called when the known states are forgotten, so that others forget what they keep with them. */
  onForget: () => void;
}

/** Numbers that known states may hold before all but those in use are forgotten: about 40 MB. */
const mostKnown = 2_000_000;

/**
 * Reads a text byte by byte in all ways that a grammar allows at once, as Earley's and Tomita's parsers do: time and
 * memory grow with a power of the text's length at most, however ambiguous the grammar. The states are built when they
 * are first met and kept; a byte that was met before costs one look into a table. Throws `grammar_invalid` for a grammar
 * that is too ambiguous from its first byte on.
 */
export function createAutomaton(program: Program): Automaton {
  const { classOf, classes, terminals, symbols } = program;
  const states = new Map<string, State>();
  let known = 0;
  let nextId = 0;
  const closure = createClosure(program);

  const intern = (): State => {
    const { items, accepting, stored } = closure.result();
    const key = `${accepting ? "!" : ""}${items.map(({ position, node }) => `${position}:${node.id}`).join(" ")}`;
    const same = states.get(key);
    if (same) return same;
    const cost = stored + 2 * items.length;
    const state: State = {
      id: nextId++,
      positions: items.map(({ position }) => position),
      nodes: items.map(({ node }) => node),
      accepting,
      cost,
      row: emptyRow(classes),
      afterPlain: undefined,
    };
    states.set(key, state);
    known += cost + classes + key.length;
    return state;
  };
  const forget = (): void => {
    for (const state of states.values()) {
      state.row = emptyRow(classes);
      state.afterPlain = undefined;
    }
    states.clear();
    closure.forget();
    known = 0;
    automaton.onForget();
  };
  const compute = (state: State, byteClass: number): State | null => {
    closure.begin();
    for (let index = 0; index < state.positions.length; index++) {
      const position = state.positions[index] ?? 0;
      const node = state.nodes[index];
      if (node && terminals[-2 - (symbols[position] ?? 0)]?.[byteClass] === 1) closure.enter(position + 1, node);
    }
    if (closure.isEmpty()) return null;
    if (known > mostKnown) forget();
    return intern();
  };
  closure.begin();
  closure.enterRoot();
  const automaton: Automaton = {
    start: intern(),
    classOf,
    step(state, byte) {
      const byteClass = classOf[byte] ?? 0;
      const next = state.row[byteClass];
      if (next !== undefined) return next;
      return (state.row[byteClass] = compute(state, byteClass));
    },
    grant(work) {
      closure.grant(work);
    },
    onForget: () => undefined,
  };
  return automaton;
}

function emptyRow(classes: number): (State | undefined)[] {
  return Array.from({ length: classes }, () => undefined);
}
