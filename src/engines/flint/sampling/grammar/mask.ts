import type { Grammar } from "../../../../formats/grammar/parse.ts";
import type { Automaton, State } from "./automaton.ts";
import { createAutomaton } from "./automaton.ts";
import { tooAmbiguous } from "./ambiguous.ts";
import { lowerGrammar } from "./lower.ts";
import { createProgram } from "./program.ts";
import type { VocabularyTrie } from "./trie.ts";
import { allow } from "./trie.ts";
import { maskOf } from "./walk.ts";

/** Holds the answer of one sequence to a grammar. */
export interface GrammarMask {
  /** Sets the bits of the allowed tokens and clears all others. Throws `grammar_invalid` for a grammar that costs too much. */
  fill(mask: Uint32Array): void;
  /** Whether a token may come next; cheaper than a mask. */
  allows(token: number): boolean;
  /** Goes on behind an allowed token. */
  accept(token: number): void;
  /** The text is complete and nothing but an end token may follow. */
  readonly finished: boolean;
  /** The text may end here. */
  readonly complete: boolean;
  /** One that goes on from here by itself. */
  clone(): GrammarMask;
}

/**
 * What an answer may cost, in places looked at: two and a half million take about a second. A good grammar needs some
 * thousands for its first tokens and next to nothing later; a bad one is refused within seconds.
 */
const workAtOnce = 4_000_000;
const workPerToken = 50_000;
/** Numbers that the readings of one answer may need altogether: what one answer can hold in memory, some 100 MB. */
const mostHeld = 8_000_000;
const maskCacheBytes = 8 * 1024 ** 2;

/** A grammar compiled for a vocabulary. Throws `grammar_invalid` for what it cannot enforce. */
export function compileGrammar(grammar: Grammar, vocabulary: VocabularyTrie): { open(): GrammarMask } {
  const automaton = createAutomaton(createProgram(lowerGrammar(grammar)));
  const masks = new Map<State, Uint32Array>();
  automaton.onForget = () => {
    masks.clear();
  };
  const mostMasks = Math.max(8, Math.floor(maskCacheBytes / (vocabulary.plainMask.byteLength + 1)));
  const find = (state: State): Uint32Array => {
    const known = masks.get(state);
    if (known) return known;
    const mask = maskOf(state, automaton, vocabulary);
    if (masks.size >= mostMasks) masks.clear();
    masks.set(state, mask);
    return mask;
  };
  return {
    open: () =>
      openMask({ automaton, vocabulary, find }, { state: automaton.start, ended: false, held: 0, work: workAtOnce }),
  };
}

interface Compiled {
  readonly automaton: Automaton;
  readonly vocabulary: VocabularyTrie;
  find(state: State): Uint32Array;
}

interface Place {
  readonly state: State;
  readonly ended: boolean;
  /** Numbers that the states on the way here needed. */
  readonly held: number;
  /** Places that may yet be looked at. */
  readonly work: number;
}

function openMask(compiled: Compiled, start: Place): GrammarMask {
  const { automaton, vocabulary } = compiled;
  let place = start;
  return {
    fill(mask) {
      mask.fill(0);
      if (place.ended) {
        for (const token of vocabulary.endTokens) allow(mask, token);
        return;
      }
      automaton.budget.left = place.work;
      mask.set(compiled.find(place.state).subarray(0, mask.length));
      place = { ...place, work: automaton.budget.left };
    },
    allows: (token) => next(compiled, place, token) !== undefined,
    accept(token) {
      const after = next(compiled, place, token);
      if (!after) throw new Error(`Token ${token} is not allowed here.`);
      if (after.held > mostHeld) throw tooAmbiguous();
      place = { ...after, work: Math.min(workAtOnce, after.work + workPerToken) };
    },
    get finished() {
      return place.ended || (place.state.accepting && place.state.positions.length === 0);
    },
    get complete() {
      return place.ended || place.state.accepting;
    },
    clone: () => openMask(compiled, place),
  };
}

/** Where a token leads; undefined: it is not allowed. */
function next({ automaton, vocabulary }: Compiled, place: Place, token: number): Place | undefined {
  if (vocabulary.endTokens.includes(token))
    return place.ended || place.state.accepting ? { ...place, ended: true } : undefined;
  const bytes = vocabulary.bytesOf(token);
  if (place.ended || !bytes) return undefined;
  let { state, held } = place;
  automaton.budget.left = place.work;
  for (const byte of bytes) {
    const after = automaton.step(state, byte);
    if (!after) return undefined;
    state = after;
    held += after.cost;
  }
  return { state, ended: false, held, work: automaton.budget.left };
}
