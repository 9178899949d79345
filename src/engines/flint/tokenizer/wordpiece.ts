import { pushAll } from "./model.ts";
import type { TextModel } from "./model.ts";
import type { Trie } from "./trie.ts";
import { baseOf, classOf, control, isIdeograph, lowerCase, mark, punctuation, space, symbol } from "./unicode.ts";
import { Scratch } from "./utf8.ts";
import { WordCache } from "./words.ts";

export interface WordPieces {
  readonly trie: Trie;
  /** Node from which the pieces inside a word are found. */
  readonly inner: number;
  /** Written in front of each word. */
  readonly prefix: string;
  readonly unknown: number | undefined;
  /** Longer words are unknown, counted in code points. */
  readonly longest: number;
}

/** Tokens of one word: the longest piece first (Y. Wu et al. 2016). One unknown token where some part is no piece. */
export function createWordEncoder(pieces: WordPieces): (word: string, output: number[]) => void {
  const cache = new WordCache();
  const scratch = new Scratch();
  const encode = (word: string): number[] => {
    const length = scratch.write(pieces.prefix + word);
    const tokens: number[] = [];
    for (let at = 0; at < length;) {
      const piece = longestPiece(pieces, scratch.bytes, at, length);
      if (piece < 0) return pieces.unknown === undefined ? [] : [pieces.unknown];
      tokens.push(piece);
      at = lastEnd;
    }
    scratch.release();
    return tokens;
  };
  return (word, output) => {
    if (isLonger(word, pieces.longest)) {
      if (pieces.unknown !== undefined) output.push(pieces.unknown);
      return;
    }
    let tokens = cache.get(word);
    if (!tokens) cache.set(word, (tokens = Int32Array.from(encode(word))));
    pushAll(output, tokens);
  };
}

function isLonger(word: string, most: number): boolean {
  return word.length > most && Array.from(word).length > most;
}

/** Where the piece ends that `longestPiece` found last. */
let lastEnd = 0;

function longestPiece({ trie, inner }: WordPieces, bytes: Uint8Array, at: number, length: number): number {
  let found = -1;
  let node = at === 0 ? 0 : inner;
  for (let next = at; next < length;) {
    node = trie.step(node, bytes[next++] ?? 0);
    if (node === 0) break;
    const id = trie.valueAt(node);
    if (id < 0) continue;
    found = id;
    lastEnd = next;
  }
  return found;
}

export interface WordPieceOptions extends WordPieces {
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
}

/** BERT's normalization (J. Devlin et al. 2019) as llama.cpp has it, then the pieces of each word. */
export function createWordPieceModel(options: WordPieceOptions): TextModel {
  const encodeWord = createWordEncoder(options);
  return (text, _before, output) => {
    for (const word of splitWords(text, options)) encodeWord(word, output);
  };
}

function splitWords(text: string, { lowercase, stripAccents }: WordPieceOptions): string[] {
  const words: string[] = [];
  let word = "";
  const finish = (): void => {
    if (word !== "") words.push(word);
    word = "";
  };
  for (const character of text) {
    const original = character.codePointAt(0) ?? 0;
    const code = stripAccents ? baseOf(original) : original;
    const kind = classOf(code);
    if (kind & space) {
      finish();
      continue;
    }
    if (code === 0 || code === 0xfffd || kind & control || (stripAccents && kind & mark)) continue;
    const written = String.fromCodePoint(lowercase ? lowerCase(code) : code);
    if (kind & punctuation || (code < 0x7f && kind & symbol) || isIdeograph(code)) {
      finish();
      words.push(written);
    } else word += written;
  }
  finish();
  return words;
}
