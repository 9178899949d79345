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
}

/** Appends the most probable tokens of a text in UTF-8. Characters in a row that are no tokens are one unknown token. */
export type Unigram = (text: Uint8Array, length: number, output: number[]) => void;

/** The unigram language model (T. Kudo 2018), with the algorithm of Viterbi over a trie of all tokens. */
export function createUnigram({ tokens, scores, unknown, unknownScore }: UnigramOptions): Unigram {
  const trie = new Trie();
  for (const { id, bytes } of tokens) trie.insert(bytes, id);
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
    collect(token, from, { length, unknown, output });
  };
}

interface Path {
  readonly length: number;
  readonly unknown: number;
  readonly output: number[];
}

function collect(token: Int32Array, from: Int32Array, { length, unknown, output }: Path): void {
  const reversed: number[] = [];
  for (let at = length; at > 0; at = from[at] ?? 0) {
    const id = token[at] ?? unknown;
    if (id !== unknown || reversed.at(-1) !== unknown) reversed.push(id);
  }
  for (let index = reversed.length - 1; index >= 0; index--) output.push(reversed[index] ?? unknown);
}
