import type { Tokenizer } from "../../tokenizer/contract.ts";

/** What masks ask of a tokenizer. */
export type GrammarVocabulary = Pick<Tokenizer, "size" | "endTokens" | "tokenBytes" | "isControl">;

/** The bytes of many tokens as a tree, its nodes in the order of a walk from the root that goes down first. */
export interface TokenTrie {
  /** Node → its byte, its distance from the root less one, and the node behind all that lie below it. */
  readonly bytes: Uint8Array;
  readonly depths: Uint16Array;
  readonly ends: Int32Array;
  /** Tokens in the order of the nodes they end at; those of a node end at `tokenEnds[node]`. */
  readonly tokens: Int32Array;
  readonly tokenEnds: Int32Array;
  readonly deepest: number;
}

/** A vocabulary prepared for masks. Special and end tokens, and those without text, are in no tree. */
export interface VocabularyTrie {
  readonly size: number;
  readonly endTokens: readonly number[];
  /** The bytes of a token that is in one of the trees; undefined: it is in none. */
  bytesOf(token: number): Uint8Array | undefined;
  /** Tokens of whole characters that need no escape in a JSON string: most there are. */
  readonly plain: TokenTrie;
  readonly plainMask: Uint32Array;
  readonly others: TokenTrie;
}

/** Longer tokens are left out; no text needs them. */
const longest = 1024;
/** Bytes of a plain token: in a string of limited length all of them are allowed until the limit is this near. */
const mostPlain = 24;

export function createVocabularyTrie(vocabulary: GrammarVocabulary): VocabularyTrie {
  const { size, endTokens } = vocabulary;
  const plain: TokenText[] = [];
  const others: TokenText[] = [];
  const bytesOf = (token: number): Uint8Array | undefined => {
    if (!(token >= 0 && token < size) || endTokens.has(token) || vocabulary.isControl(token)) return undefined;
    const bytes = vocabulary.tokenBytes(token);
    return bytes.length > 0 && bytes.length <= longest ? bytes : undefined;
  };
  for (let token = 0; token < size; token++) {
    const bytes = bytesOf(token);
    if (!bytes) continue;
    // One character for each byte: texts are compared faster than arrays.
    const entry = { token, text: String.fromCharCode(...bytes) };
    (bytes.length <= mostPlain && plainText.test(entry.text) ? plain : others).push(entry);
  }
  const plainMask = new Uint32Array(Math.ceil(size / 32));
  for (const { token } of plain) allow(plainMask, token);
  return {
    size,
    endTokens: [...endTokens].filter((token) => token >= 0 && token < size),
    bytesOf,
    plain: createTrie(plain),
    plainMask,
    others: createTrie(others),
  };
}

export function allow(mask: Uint32Array, token: number): void {
  mask[token >>> 5] = (mask[token >>> 5] ?? 0) | (1 << (token & 31));
}

interface TokenText {
  readonly token: number;
  readonly text: string;
}

/** The byte ranges of characters in UTF-8, but for controls, the quotation mark, the backslash and DEL. */
export const plainCharacters: readonly (readonly (readonly [number, number])[])[] = [
  [[0x20, 0x21]],
  [[0x23, 0x5b]],
  [[0x5d, 0x7e]],
  [
    [0xc2, 0xdf],
    [0x80, 0xbf],
  ],
  [
    [0xe0, 0xe0],
    [0xa0, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xe1, 0xec],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xed, 0xed],
    [0x80, 0x9f],
    [0x80, 0xbf],
  ],
  [
    [0xee, 0xef],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf0, 0xf0],
    [0x90, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf1, 0xf3],
    [0x80, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf4, 0xf4],
    [0x80, 0x8f],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
];

const plainText = new RegExp(
  `^(?:${plainCharacters.map((ranges) => ranges.map((range) => `[${range.map(hex).join("-")}]`).join("")).join("|")})+$`,
);

function hex(byte: number): string {
  return `\\x${byte.toString(16)}`;
}

function createTrie(entries: TokenText[]): TokenTrie {
  entries.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : a.token - b.token));
  const most = entries.reduce((sum, { text }) => sum + text.length, 0);
  const bytes = new Uint8Array(most);
  const depths = new Uint16Array(most);
  const ends = new Int32Array(most);
  const tokenEnds = new Int32Array(most);
  const open: number[] = [];
  let [count, deepest, before] = [0, 0, ""];
  for (const [index, { text }] of entries.entries()) {
    let shared = 0;
    while (shared < before.length && before.charCodeAt(shared) === text.charCodeAt(shared)) shared++;
    while (open.length > shared) ends[open.pop() ?? 0] = count;
    for (let depth = shared; depth < text.length; depth++) {
      bytes[count] = text.charCodeAt(depth);
      depths[count] = depth;
      // Tokens before this one end before this node.
      tokenEnds[count] = index;
      open.push(count++);
    }
    tokenEnds[count - 1] = index + 1;
    deepest = Math.max(deepest, text.length);
    before = text;
  }
  while (open.length > 0) ends[open.pop() ?? 0] = count;
  return {
    bytes: bytes.slice(0, count),
    depths: depths.slice(0, count),
    ends: ends.slice(0, count),
    tokens: Int32Array.from(entries, ({ token }) => token),
    tokenEnds: tokenEnds.slice(0, count),
    deepest,
  };
}
