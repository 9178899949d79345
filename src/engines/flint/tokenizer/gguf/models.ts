import { createByteLevelModel } from "../byte-pairs.ts";
import { readCharsmap } from "../charsmap.ts";
import { malformed } from "../fail.ts";
import type { Family } from "./families.ts";
import { normal, unused, userDefined } from "../kinds.ts";
import { readMerges } from "../merges.ts";
import type { TokenizerKeys } from "./metadata.ts";
import type { TextModel } from "../model.ts";
import type { Pieces } from "../pieces.ts";
import { createPlainModel } from "../plain-model.ts";
import { createSentencePieceModel } from "../sentencepiece.ts";
import { createSplitter } from "../split.ts";
import { Trie } from "../trie.ts";
import { createUnigram } from "../unigram.ts";
import type { UnigramToken } from "../unigram.ts";
import { createUnigramModel } from "../unigram-model.ts";
import { createWordPieceModel } from "../wordpiece.ts";

export interface ModelSource {
  readonly keys: TokenizerKeys;
  readonly pieces: Pieces;
  /** As the file gives them, before well-known names are told. */
  readonly kinds: Uint8Array;
  readonly unknown: number | undefined;
  readonly spaceBefore: boolean;
}

export function bytePairModel({ keys, pieces }: ModelSource, family: Family): TextModel {
  const list = keys.strings("merges");
  if (!list) throw malformed("merges", "is missing");
  const merges = readMerges(list, pieces, "merges");
  const split = createSplitter(family.stages);
  if (family.plain) return createPlainModel({ pieces, merges, split, wholeNewlines: family.wholeNewlines ?? false });
  return createByteLevelModel({ pieces, merges, ignoreMerges: family.ignoreMerges ?? false }, split);
}

export function sentencePieceModel({ keys, pieces, spaceBefore }: ModelSource): TextModel {
  return createSentencePieceModel({ pieces, scores: scoresOf(keys, pieces), spaceBefore });
}

export function wordPieceModel({ keys, pieces, unknown }: ModelSource): TextModel {
  const trie = new Trie();
  for (let id = pieces.size - 1; id >= 0; id--) trie.insert(pieces.bytesOf(id), id);
  const lowercase = keys.boolean("normalizer.lowercase") ?? true;
  return createWordPieceModel({
    trie,
    // U+2581 begins a word, and what is inside one has no mark.
    inner: 0,
    prefix: "\u2581",
    unknown,
    longest: Infinity,
    lowercase,
    stripAccents: keys.boolean("normalizer.strip_accents") ?? lowercase,
  });
}

/** What a character that is no token costs, below the worst token. Source: SentencePiece. */
const unknownPenalty = 10;

export function unigramModel(source: ModelSource): TextModel {
  const { keys, pieces, kinds, unknown, spaceBefore } = source;
  if (unknown === undefined) throw malformed("unknown_token_id", "is missing");
  const scores = Float64Array.from(scoresOf(keys, pieces), Number);
  let least = Infinity;
  for (let id = 0; id < pieces.size; id++) {
    const kind = kinds[id] ?? 0;
    if (kind & normal) least = Math.min(least, scores[id] ?? 0);
    if (kind & userDefined) scores[id] = 0;
  }
  const charsmap = keys.numbers("precompiled_charsmap");
  return createUnigramModel({
    unigram: createUnigram({
      tokens: tokensOfKind(pieces, kinds, normal | userDefined | unused),
      scores,
      unknown,
      unknownScore: Math.fround(least - unknownPenalty),
    }),
    charsmap: charsmap && readCharsmap(Uint8Array.from(charsmap as ArrayLike<number>), "longest"),
    userDefined: tokensOfKind(pieces, kinds, userDefined),
    spaceBefore,
    mergeSpaces: keys.boolean("remove_extra_whitespaces") ?? false,
  });
}

function* tokensOfKind(pieces: Pieces, kinds: Uint8Array, wanted: number): Iterable<UnigramToken> {
  for (let id = 0; id < pieces.size; id++) {
    if ((kinds[id] ?? 0) & wanted) yield { id, bytes: pieces.bytesOf(id) };
  }
}

function scoresOf(keys: TokenizerKeys, pieces: Pieces): ArrayLike<number> {
  const scores = keys.numbers("scores");
  if (!scores) return new Float32Array(pieces.size);
  if (scores.length !== pieces.size)
    throw malformed("scores", `has ${scores.length} elements for ${pieces.size} tokens`);
  return Float32Array.from(scores as ArrayLike<number>);
}
