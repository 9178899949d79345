import type { Budget } from "./closure.ts";
import { createClosure } from "./closure.ts";
import type { StackNode } from "./nodes.ts";
import { keyOf } from "./nodes.ts";
import type { Program } from "./program.ts";

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
  /** Which of the first 31 terminals matched, as bits → next state, where there are no more than these. */
  moves: Map<number, State | null>;
  /** The state that every plain character leads to (see `walk.ts`); null: there is none, undefined: not yet known. */
  afterPlain: State | null | undefined;
}

export interface Automaton {
  readonly start: State;
  /** Byte → its place in the rows of states. */
  readonly classOf: Uint8Array;
  /** The state behind a byte; null: the grammar does not allow it. */
  step(state: State, byte: number): State | null;
  /** Places that may yet be looked at; what `step` needs is taken off. Below zero it throws `grammar_invalid`. */
  readonly budget: Budget;
  /** Called when the known states are forgotten, so that others forget what they keep with them. */
  onForget: () => void;
}

/** Bits of a number that a set of terminals is written in. */
const bitsOfMove = 31;
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
  let stored = 0;
  let nextId = 0;
  const budget: Budget = { left: Infinity };
  const closure = createClosure(program, budget);
  const emptyRow = Array.from({ length: classes }, (): State | undefined => undefined);

  const intern = (): State => {
    const { items, accepting, added } = closure.result();
    const key = `${accepting ? "!" : ""}${keyOf(items)}`;
    const same = states.get(key);
    if (same) return same;
    const cost = added + 2 * items.length;
    const state: State = {
      id: nextId++,
      positions: items.map(({ position }) => position),
      nodes: items.map(({ node }) => node),
      accepting,
      cost,
      row: emptyRow.slice(),
      moves: new Map(),
      afterPlain: undefined,
    };
    states.set(key, state);
    stored += cost + classes + key.length;
    return state;
  };
  const forget = (): void => {
    for (const state of states.values()) {
      state.row = emptyRow.slice();
      state.moves = new Map();
      state.afterPlain = undefined;
    }
    states.clear();
    closure.forget();
    stored = 0;
    automaton.onForget();
  };
  const compute = (state: State, byteClass: number): State | null => {
    const { positions, nodes } = state;
    let matched = 0;
    for (let index = 0; index < positions.length && index < bitsOfMove; index++) {
      if (terminals[-2 - (symbols[positions[index] ?? 0] ?? 0)]?.[byteClass] === 1) matched |= 1 << index;
    }
    // Many classes match the same terminals, and lead to the same state.
    const short = positions.length <= bitsOfMove;
    const known = short ? state.moves.get(matched) : undefined;
    if (known !== undefined) return known;
    closure.begin();
    for (let index = 0; index < positions.length; index++) {
      const position = positions[index] ?? 0;
      const node = nodes[index];
      if (node && terminals[-2 - (symbols[position] ?? 0)]?.[byteClass] === 1) closure.enter(position + 1, node);
    }
    if (stored > mostKnown) forget();
    const next = closure.isEmpty() ? null : intern();
    if (short) state.moves.set(matched, next);
    return next;
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
    budget,
    onForget: () => undefined,
  };
  return automaton;
}
