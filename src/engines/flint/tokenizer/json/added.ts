import { unsupported } from "../fail.ts";
import type { Fragments } from "../model.ts";
import type { AddedToken } from "./vocabulary.ts";

export type AddedCut = (text: string, special: boolean) => Fragments;

interface Node {
  readonly next: Map<number, Node>;
  /** Index of the token that ends here, -1 for none. */
  token: number;
}

const mostUnits = 1024;
const wordEnd = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u;
const wordStart = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;

/**
 * Cuts a text at the first token, of those that begin there at the longest, then at the next one behind it. With
 * `special` off, control tokens are found and then left as text. `texts`: how the tokens are spelled.
 */
export function createAddedCut(tokens: readonly AddedToken[], texts: readonly string[]): AddedCut {
  const root: Node = { next: new Map(), token: -1 };
  for (const [index, text] of texts.entries()) {
    if (text.length > mostUnits) throw unsupported("added_tokens", `has a name of ${text.length} characters`);
    let node = root;
    for (let at = 0; at < text.length; at++) node = child(node, text.charCodeAt(at));
    if (text !== "" && node.token < 0) node.token = index;
  }
  if (root.next.size === 0) return (text) => [text];
  return (text, special) => {
    const fragments: (string | number)[] = [];
    let done = 0;
    for (let at = 0; at < text.length;) {
      const index = root.next.has(text.charCodeAt(at)) ? longestAt(root, text, at) : -1;
      const token = tokens[index];
      if (!token) {
        at++;
        continue;
      }
      const end = at + (texts[index] ?? "").length;
      if ((special || !token.special) && isAlone(token, text, at, end)) {
        const from = token.stripLeft ? spaceBefore(text, done, at) : at;
        if (from > done) fragments.push(text.slice(done, from));
        fragments.push(token.id);
        // A token of spaces that another one had taken counts once more: so it does in the library that made the file.
        done = token.stripRight ? spaceBehind(text, end) : end;
      }
      at = end;
    }
    if (done < text.length) fragments.push(text.slice(done));
    return fragments;
  };
}

function child(node: Node, unit: number): Node {
  let next = node.next.get(unit);
  if (!next) node.next.set(unit, (next = { next: new Map(), token: -1 }));
  return next;
}

function longestAt(root: Node, text: string, at: number): number {
  let found = -1;
  let node: Node | undefined = root;
  for (let end = at; end < text.length; end++) {
    node = node.next.get(text.charCodeAt(end));
    if (!node) break;
    if (node.token >= 0) found = node.token;
  }
  return found;
}

function isAlone(token: AddedToken, text: string, from: number, to: number): boolean {
  if (!token.singleWord) return true;
  return !wordEnd.test(text.slice(Math.max(0, from - 2), from)) && !wordStart.test(text.slice(to, to + 2));
}

const isSpace = /^\p{White_Space}$/u;

function spaceBefore(text: string, done: number, at: number): number {
  let from = at;
  while (from > done && isSpace.test(text[from - 1] ?? "")) from--;
  return from;
}

function spaceBehind(text: string, end: number): number {
  let to = end;
  while (to < text.length && isSpace.test(text[to] ?? "")) to++;
  return to;
}
