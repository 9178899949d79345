import type { Joins } from "./merge.ts";
import type { TextModel } from "./model.ts";
import type { Pieces } from "./pieces.ts";
import { byteFallback, createPlainPairs, findByteTokens } from "./plain-pairs.ts";
import type { Scratch } from "./utf8.ts";
import { blank, stickyCharacters } from "./words.ts";

export interface SentencePieceOptions {
  readonly pieces: Pieces;
  readonly scores: ArrayLike<number>;
  /** A space is put before a text, and behind every special token. */
  readonly spaceBefore: boolean;
}

/**
 * SentencePiece's BPE (T. Kudo, J. Richardson 2018): neighbours are joined whose text together is a token, the one with
 * the highest score first. A character that is no token becomes its bytes.
 */
export function createSentencePieceModel({ pieces, scores, spaceBefore }: SentencePieceOptions): TextModel {
  const ranks = rankByScore(scores, pieces.size);
  const pairs = createPlainPairs({
    pieces,
    joins: (scratch) => scoreJoins(pieces, ranks, scratch),
    sticky: stickyCharacters(texts(pieces)),
    unknown: byteFallback(findByteTokens(pieces)),
  });
  return (text, before, output) => {
    const escaped = text.replaceAll(" ", blank);
    pairs(spaceBefore && before !== "text" ? blank + escaped : escaped, output);
  };
}

function* texts(pieces: Pieces): Iterable<string> {
  for (let id = 0; id < pieces.size; id++) if (hasInnerBlank(pieces, id)) yield pieces.text(id);
}

/** Few tokens have U+2581 behind their first character, and texts are slow to make. */
function hasInnerBlank(pieces: Pieces, id: number): boolean {
  const to = (pieces.starts[id + 1] ?? 0) - 2;
  for (let at = (pieces.starts[id] ?? 0) + 1; at < to; at++) {
    if (pieces.bytes[at] === 0xe2 && pieces.bytes[at + 1] === 0x96 && pieces.bytes[at + 2] === 0x81) return true;
  }
  return false;
}

function scoreJoins(pieces: Pieces, ranks: Int32Array, scratch: Scratch): Joins {
  return {
    find: (_left, _right, from, to) => (to - from > pieces.longest ? -1 : pieces.find(scratch.bytes, from, to)),
    rank: (token) => ranks[token] ?? 0,
    token: (token) => token,
  };
}

/** The highest score has rank 0; equal scores have equal ranks. */
function rankByScore(scores: ArrayLike<number>, size: number): Int32Array {
  const sorted = new Float64Array(size);
  for (let id = 0; id < size; id++) sorted[id] = scores[id] ?? 0;
  sorted.sort();
  let count = 0;
  for (const score of sorted) if (count === 0 || score !== sorted[count - 1]) sorted[count++] = score;
  const ranks = new Int32Array(size);
  for (let id = 0; id < size; id++) ranks[id] = count - 1 - placeOf(scores[id] ?? 0, sorted, count);
  return ranks;
}

/** The last place among the first `count` numbers, which ascend, that holds no more than `score`; 0 where none does. */
function placeOf(score: number, sorted: Float64Array, count: number): number {
  let [low, high] = [0, count - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle]! <= score) low = middle;
    else high = middle - 1;
  }
  return low;
}
