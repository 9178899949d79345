import { printable } from "../../../../formats/gguf/malformed.ts";
import { createBytePieces } from "../byte-pairs.ts";
import { malformed, unsupported } from "../fail.ts";
import { createMergeTable } from "../merges.ts";
import type { Merges } from "../merges.ts";
import type { Pieces } from "../pieces.ts";
import { createPlainPairs, findByteTokens } from "../plain-pairs.ts";
import type { PlainPairOptions } from "../plain-pairs.ts";
import { mergedTexts } from "../plain-model.ts";
import { Trie } from "../trie.ts";
import { createUnigram } from "../unigram.ts";
import { Scratch, characterBytes, toUtf8 } from "../utf8.ts";
import { WordCache, stickyCharacters } from "../words.ts";
import { createWordEncoder } from "../wordpiece.ts";
import { booleanOf, listOf, numberOf, optionalString, stringOf } from "./read.ts";
import type { Json } from "./read.ts";
import type { JsonVocabulary } from "./vocabulary.ts";

/** Appends the tokens of one word. */
export type WordModel = (word: string, output: number[]) => void;

/** Reads `model`. Throws `model_unsupported` for a kind that is not known. */
export function readWordModel(model: Json, vocabulary: JsonVocabulary, byteLevel: boolean): WordModel {
  const type = optionalString(model["type"], "model.type") ?? (model["merges"] ? "BPE" : "WordPiece");
  switch (type) {
    case "BPE":
      return bytePairs(model, vocabulary, byteLevel);
    case "Unigram":
      return unigram(model, vocabulary);
    case "WordPiece":
      return wordPiece(model, vocabulary);
    default:
      throw unsupported("model.type", `is "${printable(type, 40)}", which is not known`);
  }
}

function bytePairs(model: Json, { pieces, unk }: JsonVocabulary, byteLevel: boolean): WordModel {
  for (const name of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if (optionalString(model[name], `model.${name}`)) throw unsupported(`model.${name}`, "is not supported");
  }
  if (model["dropout"]) throw unsupported("model.dropout", "makes tokens by chance");
  const merges = readMergeList(listOf(model["merges"], "model.merges"), pieces);
  const ignoreMerges = booleanOf(model["ignore_merges"], "model.ignore_merges", false);
  if (byteLevel) return createBytePieces({ pieces, merges, ignoreMerges });
  const pairs = createPlainPairs({
    pieces,
    joins: () => merges,
    sticky: stickyCharacters(mergedTexts(pieces, merges)),
    unknown: unknownCharacter(model, pieces, unk),
  });
  if (!ignoreMerges) return pairs;
  return (word, output) => {
    const whole = word.length <= pieces.longest ? pieces.findText(word) : -1;
    if (whole >= 0) output.push(whole);
    else pairs(word, output);
  };
}

/** Bytes, where all of them are tokens; else the unknown token, once for several characters in a row. */
function unknownCharacter(model: Json, pieces: Pieces, unk: number | undefined): PlainPairOptions["unknown"] {
  const byteTokens = booleanOf(model["byte_fallback"], "model.byte_fallback", false)
    ? findByteTokens(pieces)
    : new Int32Array(256).fill(-1);
  const fuse = booleanOf(model["fuse_unk"], "model.fuse_unk", false);
  return (bytes, output) => {
    const tokens = Array.from(bytes, (byte) => byteTokens[byte] ?? -1);
    if (!tokens.includes(-1)) output.push(...tokens);
    else if (unk !== undefined && !(fuse && output.at(-1) === unk)) output.push(unk);
  };
}

function readMergeList(list: readonly unknown[], pieces: Pieces): Merges {
  const field = "model.merges";
  const table = createMergeTable(list.length);
  const scratch = new Scratch();
  for (const [rank, entry] of list.entries()) {
    const [first, second] = readPair(entry, rank);
    const end = scratch.write(first + second);
    // The part of the first text is known by its length, so nothing is encoded twice.
    const gap = utf8Length(scratch.bytes, first.length, end);
    const left = pieces.find(scratch.bytes, 0, gap);
    const right = pieces.find(scratch.bytes, gap, end);
    const token = pieces.find(scratch.bytes, 0, end);
    if (Math.min(left, right, token) < 0) throw malformed(field, `has a merge ${rank} of texts that are no tokens`);
    table.add(rank, left, right, token);
  }
  return table.merges;
}

/** Bytes that the first `units` UTF-16 units take. */
function utf8Length(bytes: Uint8Array, units: number, end: number): number {
  let at = 0;
  for (let left = units; left > 0 && at < end;) {
    const length = characterBytes(bytes[at] ?? 0);
    at += length;
    left -= length === 4 ? 2 : 1;
  }
  return at;
}

/** `"a b"`, or in newer files `["a", "b"]`. */
function readPair(entry: unknown, rank: number): readonly [string, string] {
  const field = "model.merges";
  const parts = typeof entry === "string" ? entry.split(" ") : listOf(entry, field);
  if (parts.length !== 2) throw malformed(field, `has a merge ${rank} that is no pair`);
  return [stringOf(parts[0], field), stringOf(parts[1], field)];
}

const unknownPenalty = 10;

function unigram(model: Json, vocabulary: JsonVocabulary): WordModel {
  const { scores, modelTexts, unk, pieces } = vocabulary;
  if (unk === undefined) throw malformed("model.unk_id", "is missing");
  let least = Infinity;
  for (const id of modelTexts.keys()) least = Math.min(least, scores[id] ?? 0);
  const scratch = new Scratch();
  const cache = new WordCache();
  const find = createUnigram({
    tokens: Array.from(modelTexts, ([id, text]) => ({ id, bytes: toUtf8(text) })),
    scores,
    unknown: unk,
    unknownScore: least - unknownPenalty,
    byteTokens: booleanOf(model["byte_fallback"], "model.byte_fallback", false) ? findByteTokens(pieces) : undefined,
  });
  return (word, output) => {
    const known = cache.get(word);
    if (known) {
      for (const id of known) output.push(id);
      return;
    }
    const from = output.length;
    const length = scratch.write(word);
    find(scratch.bytes, length, output);
    scratch.release();
    if (output.length - from < 100) cache.set(word, Int32Array.from(output.slice(from)));
  };
}

function wordPiece(model: Json, { modelTexts, unk }: JsonVocabulary): WordModel {
  const trie = new Trie();
  for (const [id, text] of modelTexts) trie.insert(toUtf8(text), id);
  const prefix = optionalString(model["continuing_subword_prefix"], "model.continuing_subword_prefix") ?? "##";
  const most = model["max_input_chars_per_word"];
  return createWordEncoder({
    trie,
    // Without pieces that begin so, no word has a second piece.
    inner: prefix === "" ? 0 : trie.walk(toUtf8(prefix)) || -1,
    prefix: "",
    unknown: unk,
    longest: most === undefined || most === null ? 100 : numberOf(most, "model.max_input_chars_per_word"),
  });
}
