/**
 * Keeps text of users apart from control tokens. Before rendering, every control token that a message spells is
 * replaced by a placeholder; after rendering, placeholders become parts that are tokenized as plain text.
 */
import { HearthError } from "../error.ts";
import type { PromptPart, PromptPicture } from "../spec/engine.ts";
import type { ImageInput } from "../spec/media.ts";

export interface Shield {
  hide(text: string): string;
  /** The same for every text inside a JSON value, keys included. */
  hideAll(value: unknown): unknown;
  /** What stands for a picture until `split`: nothing that a user writes is taken for it. */
  picture(image: ImageInput): string;
  /** Puts the original text back; for messages to people. */
  reveal(text: string): string;
  /** Splits rendered text: placeholders become plain parts, all else keeps its control tokens. */
  split(rendered: string): PromptPart[];
}

/** Placeholders are single characters of the last private plane, which no keyboard, font or template uses. */
const firstPlaceholder = 0x10_00_00;
const placeholders = 0xff_fe;
const leadMin = 0xdb_c0;
const leadMax = 0xdb_ff;

interface TrieNode {
  readonly next: Map<number, TrieNode>;
  end: boolean;
}

/** A set of texts prepared for search, with a table of their first characters. */
interface Trie {
  readonly root: TrieNode;
  readonly starts: Uint8Array;
  readonly longest: number;
}

const tries = new WeakMap<readonly string[], Trie>();

export function createShield(specialTokens: readonly string[]): Shield {
  let trie = tries.get(specialTokens);
  if (!trie) tries.set(specialTokens, (trie = buildTrie(specialTokens)));
  return shieldWith(trie);
}

function shieldWith(trie: Trie): Shield {
  const originals: (string | PromptPicture)[] = [];
  const numbers = new Map<string, number>();
  const append = (original: string | PromptPicture): number => {
    if (originals.length < placeholders) return originals.push(original) - 1;
    throw new HearthError("bad_request", `The messages spell more than ${placeholders} different control tokens.`);
  };
  const placeholderOf = (original: string): string => {
    let number = numbers.get(original);
    if (number === undefined) numbers.set(original, (number = append(original)));
    return String.fromCodePoint(firstPlaceholder + number);
  };
  const hide = (text: string): string => replaceTokens(text, trie, placeholderOf);
  const original: FindOriginal = (rendered, at) => {
    const lead = rendered.charCodeAt(at);
    if (lead < leadMin || lead > leadMax) return undefined;
    return originals[(rendered.codePointAt(at) ?? 0) - firstPlaceholder];
  };
  return {
    hide,
    hideAll: (value) => mapTexts(value, hide, 0),
    picture: (image) => String.fromCodePoint(firstPlaceholder + append({ image })),
    reveal: (text) =>
      splitAt(text, original)
        .map((part) => ("image" in part ? "(a picture)" : part.text))
        .join(""),
    split: (rendered) => splitAt(rendered, original),
  };
}

function buildTrie(tokens: readonly string[]): Trie {
  const root: TrieNode = { next: new Map(), end: false };
  const starts = new Uint8Array(0x1_00_00);
  let longest = 0;
  for (const token of tokens) {
    // Runs of white space are ordinary text even where a vocabulary has tokens of their own for them.
    if (token.trim() === "") continue;
    let node = root;
    for (let index = 0; index < token.length; index++) {
      const code = token.charCodeAt(index);
      let child = node.next.get(code);
      if (!child) node.next.set(code, (child = { next: new Map(), end: false }));
      node = child;
    }
    node.end = true;
    longest = Math.max(longest, token.length);
    starts[token.charCodeAt(0)] = 1;
  }
  // A placeholder character that a user typed is hidden like a control token, so that it stays what it is.
  for (let lead = leadMin; lead <= leadMax; lead++) starts[lead] = 1;
  return { root, starts, longest };
}

/**
 * Replaces the leftmost longest tokens, and at the end of the text what a text after it could complete to one. Takes
 * time linear in the text times the longest token.
 */
function replaceTokens(text: string, trie: Trie, replace: (token: string) => string): string {
  const { root, starts } = trie;
  let result = "";
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const first = text.charCodeAt(at);
    if (starts[first] === 0) continue;
    const length = first >= leadMin && first <= leadMax ? pairLength(text, at) : longestToken(text, at, root);
    if (length === 0) continue;
    result += text.slice(from, at) + replace(text.slice(at, at + length));
    from = at + length;
    at = from - 1;
  }
  const open = openEnd(text, from, trie);
  if (open < text.length) return result + text.slice(from, open) + replace(text.slice(open));
  return from === 0 ? text : result + text.slice(from);
}

/** Where the end of the text begins that is itself the beginning of a token; words are never split for that. */
function openEnd(text: string, from: number, { root, starts, longest }: Trie): number {
  for (let at = Math.max(from, text.length - longest + 1); at < text.length; at++) {
    if (starts[text.charCodeAt(at)] === 0 || /[\p{L}\p{N}\s]/u.test(text[at] ?? "")) continue;
    let node: TrieNode | undefined = root;
    for (let index = at; node && index < text.length; index++) node = node.next.get(text.charCodeAt(index));
    if (node) return at;
  }
  return text.length;
}

function longestToken(text: string, at: number, root: TrieNode): number {
  let node: TrieNode | undefined = root;
  let longest = 0;
  for (let index = at; index < text.length; index++) {
    node = node.next.get(text.charCodeAt(index));
    if (!node) break;
    if (node.end) longest = index + 1 - at;
  }
  return longest;
}

function pairLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xff_ff ? 2 : 0;
}

type FindOriginal = (text: string, at: number) => string | PromptPicture | undefined;

function splitAt(rendered: string, original: FindOriginal): PromptPart[] {
  const parts: ({ text: string; special: boolean } | PromptPicture)[] = [];
  const add = (text: string, special: boolean): void => {
    const last = parts.at(-1);
    if (text === "") return;
    if (last && "text" in last && last.special === special) last.text += text;
    else parts.push({ text, special });
  };
  let from = 0;
  for (let at = 0; at < rendered.length; at++) {
    const found = original(rendered, at);
    if (found === undefined) continue;
    add(rendered.slice(from, at), true);
    if (typeof found === "string") add(found, false);
    else parts.push(found);
    at++;
    from = at + 1;
  }
  add(rendered.slice(from), true);
  return parts;
}

function mapTexts(value: unknown, change: (text: string) => string, depth: number): unknown {
  if (depth > 100) throw new HearthError("bad_request", "A value in the messages or tools is nested too deeply.");
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  // `fromEntries` keeps a key such as `__proto__` an ordinary key.
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [change(key), mapTexts(item, change, depth + 1)]),
  );
}
