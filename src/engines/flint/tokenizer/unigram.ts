import { pushAll } from "./model.ts";
import { Trie } from "./trie.ts";
import { characterBytes } from "./utf8.ts";

export interface UnigramToken {
  readonly id: number;
  readonly bytes: Uint8Array;
}

export interface UnigramOptions {
  readonly tokens: Iterable<UnigramToken>;
  /** Log probability by token. */
  readonly scores: ArrayLike<number>;
  readonly unknown: number;
  /** Log probability of a character that is no token. */
  readonly unknownScore: number;
  /** Tokens of the bytes, which stand for unknown characters where there is one for each byte of them. */
  readonly byteTokens?: Int32Array | undefined;
}

/** Appends the most probable tokens of a text in UTF-8. Characters in a row that are no tokens are one unknown token. */
export type Unigram = (text: Uint8Array, length: number, output: number[]) => void;

/** The unigram language model (T. Kudo 2018), with the algorithm of Viterbi over a trie of all tokens. */
export function createUnigram(options: UnigramOptions): Unigram {
  const { tokens, scores, unknown, unknownScore, byteTokens } = options;
  const trie = new Trie();
  for (const { id, bytes } of tokens) trie.insert(bytes, id);
  /** A text that is a token after all, or its bytes, or the unknown token. */
  const pushUnknown = (text: Uint8Array, output: number[]): void => {
    const whole = trie.valueAt(trie.walk(text));
    const bytes = Array.from(text, (byte) => byteTokens?.[byte] ?? -1);
    if (whole >= 0) output.push(whole);
    else if (bytes.includes(-1)) output.push(unknown);
    else pushAll(output, bytes);
  };
  return (text, length, output) => {
    const best = new Float64Array(length + 1).fill(-Infinity);
    const token = new Int32Array(length + 1).fill(unknown);
    const from = new Int32Array(length + 1);
    best[0] = 0;
    const offer = (at: number, end: number, id: number, score: number): void => {
      const sum = (best[at] ?? 0) + score;
      if (!(sum > (best[end] ?? 0))) return;
      best[end] = sum;
      token[end] = id;
      from[end] = at;
    };
    for (let at = 0; at < length;) {
      const next = Math.min(length, at + characterBytes(text[at] ?? 0));
      let single = false;
      let node = 0;
      for (let end = at; end < length;) {
        node = trie.step(node, text[end++] ?? 0);
        if (node === 0) break;
        const id = trie.valueAt(node);
        if (id < 0) continue;
        if (end === next) single = true;
        offer(at, end, id, scores[id] ?? 0);
      }
      if (!single) offer(at, next, unknown, unknownScore);
      at = next;
    }
    const path = trace({ token, from }, length, unknown);
    for (let index = path.length - 1; index > 0; index--) {
      const [start, end] = [path[index] ?? 0, path[index - 1] ?? 0];
      const id = token[end] ?? unknown;
      if (id === unknown && byteTokens) pushUnknown(text.subarray(start, end), output);
      else output.push(id);
    }
  };
}

interface Best {
  /** By position: the token that ends there on the best way, and where it begins. */
  readonly token: Int32Array;
  readonly from: Int32Array;
}

/** Where the tokens of the best way end, from the end of the text to its start; unknown ones in a row are one. */
function trace({ token, from }: Best, length: number, unknown: number): number[] {
  const ends = [length];
  for (let at = length; at > 0;) {
    const start = from[at] ?? 0;
    const joined = token[at] === unknown && start > 0 && token[start] === unknown;
    if (!joined) ends.push(start);
    at = start;
  }
  return ends;
}
