import type { Automaton, State } from "./automaton.ts";
import type { TokenTrie, VocabularyTrie } from "./trie.ts";
import { allow, plainCharacters } from "./trie.ts";

/** The mask of the tokens that a grammar allows in a state. */
export function maskOf(state: State, automaton: Automaton, vocabulary: VocabularyTrie): Uint32Array {
  const mask = new Uint32Array(vocabulary.plainMask.length);
  if (takesPlainText(state, automaton, vocabulary.plain.deepest)) mask.set(vocabulary.plainMask);
  else walk(state, automaton, vocabulary.plain, mask);
  walk(state, automaton, vocabulary.others, mask);
  if (state.accepting) for (const token of vocabulary.endTokens) allow(mask, token);
  return mask;
}

/** Goes down where the grammar goes on, and past all that lies below where it does not. */
function walk(start: State, automaton: Automaton, trie: TokenTrie, mask: Uint32Array): void {
  const { bytes, depths, ends, tokens, tokenEnds, deepest } = trie;
  const { classOf } = automaton;
  const path: State[] = Array.from({ length: deepest + 1 }, () => start);
  let index = 0;
  for (let node = 0; node < bytes.length;) {
    const depth = depths[node] ?? 0;
    const state = path[depth] ?? start;
    const byte = bytes[node] ?? 0;
    let next = state.row[classOf[byte] ?? 0];
    if (next === undefined) next = automaton.step(state, byte);
    if (next === null) {
      node = ends[node] ?? bytes.length;
      index = tokenEnds[node - 1] ?? 0;
      continue;
    }
    path[depth + 1] = next;
    for (const end = tokenEnds[node] ?? 0; index < end; index++) allow(mask, tokens[index] ?? 0);
    node++;
  }
}

/** Whether any plain text of some length may come here, as in strings: all characters lead from one state to the next. */
function takesPlainText(state: State, automaton: Automaton, most: number): boolean {
  let at = state;
  for (let characters = 0; characters < most; characters++) {
    if (at.afterPlain === undefined) at.afterPlain = findAfterPlain(at, automaton);
    if (!at.afterPlain) return false;
    if (at.afterPlain === at) return true;
    at = at.afterPlain;
  }
  return true;
}

/** The state that every plain character leads to; null: there is no such one. */
function findAfterPlain(state: State, automaton: Automaton): State | null {
  const after = automaton.step(state, 0x61);
  if (!after) return null;
  const alike = plainCharacters.every((ranges) => {
    let reached = new Set<State | null>([state]);
    for (const [from, to] of ranges) {
      const next = new Set<State | null>();
      for (const before of reached) {
        if (!before) return false;
        for (let byte = from; byte <= to; byte++) next.add(automaton.step(before, byte));
      }
      reached = next;
    }
    return reached.size === 1 && reached.has(after);
  });
  return alike ? after : null;
}
