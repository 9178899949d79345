import { createAutomaton } from "./automaton.ts";
import type { Automaton } from "./automaton.ts";
import { unsupported } from "./fail.ts";
import { control, stripLeft, stripRight, unknown, userDefined } from "./kinds.ts";
import type { Fragments } from "./model.ts";
import type { Pieces } from "./pieces.ts";

/** `special`: control and unknown tokens are found too, not user-defined ones alone. */
export type Partition = (text: string, special: boolean) => Fragments;

interface SpecialToken {
  readonly id: number;
  readonly text: string;
  readonly kinds: number;
}

const mostBytes = 1024;

/**
 * Cuts texts as llama.cpp does: the longest token takes its places in the whole text first, then the next one. Throws
 * `model_unsupported` for names of more than 1024 bytes.
 */
export function createPartition(pieces: Pieces, kinds: Uint8Array): Partition {
  const tokens: (SpecialToken & { readonly length: number })[] = [];
  for (let id = 0; id < pieces.size; id++) {
    const kind = kinds[id] ?? 0;
    if ((kind & (control | unknown | userDefined)) === 0) continue;
    const { length } = pieces.bytesOf(id);
    if (length > mostBytes) throw unsupported("a special token", `has a name of ${length} bytes`);
    if (length > 0) tokens.push({ id, text: pieces.text(id), kinds: kind, length });
  }
  tokens.sort((a, b) => b.length - a.length || a.id - b.id);
  const all = createFinder(tokens);
  const visible = createFinder(tokens.filter((token) => (token.kinds & (control | unknown)) === 0));
  return (text, special) => {
    const { automaton, tokens: known } = special ? all : visible;
    if (text === "") return [];
    const present = known.length === 0 ? [] : automaton().present(text);
    if (present.length === 0) return [text];
    let fragments: Fragment[] = [{ from: 0, to: text.length, id: -1 }];
    for (const index of present) {
      const token = known[index];
      if (token) fragments = cutAt(text, token, fragments);
    }
    return fragments.map(({ from, to, id }) => (id < 0 ? text.slice(from, to) : id));
  };
}

interface Finder {
  readonly tokens: readonly SpecialToken[];
  /** Made when it is used first: most loads never spell a token. */
  readonly automaton: () => Automaton;
}

function createFinder(tokens: readonly SpecialToken[]): Finder {
  let automaton: Automaton | undefined;
  return { tokens, automaton: () => (automaton ??= createAutomaton(tokens.map((token) => token.text))) };
}

interface Fragment {
  readonly from: number;
  readonly to: number;
  /** -1: text. */
  readonly id: number;
}

/** Each search starts behind the last find, so that one token costs one pass over the text. */
function cutAt(text: string, token: SpecialToken, fragments: readonly Fragment[]): Fragment[] {
  const result: Fragment[] = [];
  let found = text.indexOf(token.text);
  for (const fragment of fragments) {
    const { to } = fragment;
    let { from } = fragment;
    if (fragment.id >= 0) {
      result.push(fragment);
      continue;
    }
    if (found >= 0 && found < from) found = text.indexOf(token.text, from);
    while (found >= 0 && found + token.text.length <= to) {
      const before = token.kinds & stripLeft ? trimEnd(text, from, found) : found;
      if (before > from) result.push({ from, to: before, id: -1 });
      result.push({ from: found, to: found + token.text.length, id: token.id });
      from = found + token.text.length;
      if (token.kinds & stripRight) from = trimStart(text, from, to);
      found = text.indexOf(token.text, from);
    }
    if (from < to) result.push({ from, to, id: -1 });
  }
  return result;
}

/** ASCII white space. */
function isSpace(unit: number): boolean {
  return unit === 0x20 || (unit >= 9 && unit <= 13);
}

function trimEnd(text: string, from: number, to: number): number {
  let end = to;
  while (end > from && isSpace(text.charCodeAt(end - 1))) end--;
  return end;
}

function trimStart(text: string, from: number, to: number): number {
  let start = from;
  while (start < to && isSpace(text.charCodeAt(start))) start++;
  return start;
}
