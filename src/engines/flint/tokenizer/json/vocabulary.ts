import { printable } from "../../../../formats/gguf/malformed.ts";
import { malformed } from "../fail.ts";
import { byteToken, control, normal, unknown, userDefined } from "../kinds.ts";
import { createPieces } from "../pieces.ts";
import type { Pieces } from "../pieces.ts";
import { byteOfName, toUtf8 } from "../utf8.ts";
import { booleanOf, idOf, listOf, numberOf, objectOf, optionalString, stringOf } from "./read.ts";
import type { Json } from "./read.ts";

/** A token that texts are cut at before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly text: string;
  /** A control token: found only where the caller asks for them. */
  readonly special: boolean;
  /** It is found in the normalized text. */
  readonly normalized: boolean;
  readonly stripLeft: boolean;
  readonly stripRight: boolean;
  /** Not as a part of a word. */
  readonly singleWord: boolean;
}

export interface JsonVocabulary {
  readonly pieces: Pieces;
  readonly kinds: Uint8Array;
  readonly added: readonly AddedToken[];
  /** Log probabilities of a unigram vocabulary. */
  readonly scores: Float64Array;
  /** Tokens of the model, without the added ones: ids 0 to `modelSize - 1` of a unigram vocabulary. */
  readonly modelTexts: ReadonlyMap<number, string>;
  readonly unk: number | undefined;
}

/** Reads `model.vocab` and `added_tokens`. Throws `model_malformed` where they contradict each other. */
export function readVocabulary(file: Json, model: Json): JsonVocabulary {
  const texts = new Map<number, string>();
  const scores = new Map<number, number>();
  if (Array.isArray(model["vocab"])) readScored(model["vocab"] as readonly unknown[], texts, scores);
  else readIds(objectOf(model["vocab"], "model.vocab"), texts);
  const modelTexts = new Map(texts);
  const added = readAdded(file, texts);
  if (texts.size === 0) throw malformed("model.vocab", "is empty");
  const size = Math.max(...lastIds(texts)) + 1;
  if (size > texts.size * 2 + 1024)
    throw malformed("model.vocab", `names ${texts.size} tokens and ids up to ${size - 1}`);
  const pieces = createPieces({
    length: size,
    bytes: (id) => toUtf8(texts.get(id) ?? `[EMPTY_${id}]`),
  });
  const unk = unknownOf(model, pieces);
  return {
    pieces,
    kinds: kindsOf(size, { texts, added, unk, bytes: model["byte_fallback"] === true }),
    added,
    scores: Float64Array.from({ length: size }, (_, id) => scores.get(id) ?? 0),
    modelTexts,
    unk,
  };
}

function* lastIds(texts: ReadonlyMap<number, string>): Iterable<number> {
  let last = 0;
  for (const id of texts.keys()) last = Math.max(last, id);
  yield last;
}

function add(texts: Map<number, string>, id: number, text: string): void {
  const known = texts.get(id);
  if (known !== undefined && known !== text) {
    throw malformed("model.vocab", `gives "${printable(known, 20)}" and "${printable(text, 20)}" the id ${id}`);
  }
  texts.set(id, text);
}

function readIds(vocab: Json, texts: Map<number, string>): void {
  for (const [text, id] of Object.entries(vocab)) add(texts, idOf(id, "model.vocab"), text);
}

function readScored(vocab: readonly unknown[], texts: Map<number, string>, scores: Map<number, number>): void {
  for (const [id, entry] of vocab.entries()) {
    const [text, score] = listOf(entry, "model.vocab");
    add(texts, id, stringOf(text, "model.vocab"));
    scores.set(id, numberOf(score, "model.vocab"));
  }
}

function readAdded(file: Json, texts: Map<number, string>): AddedToken[] {
  const field = "added_tokens";
  if (file[field] === undefined || file[field] === null) return [];
  return listOf(file[field], field).map((entry) => {
    const token = objectOf(entry, field);
    const text = stringOf(token["content"], field);
    const id = idOf(token["id"], field);
    add(texts, id, text);
    const special = booleanOf(token["special"], field, false);
    return {
      id,
      text,
      special,
      normalized: booleanOf(token["normalized"], field, !special),
      stripLeft: booleanOf(token["lstrip"], field, false),
      stripRight: booleanOf(token["rstrip"], field, false),
      singleWord: booleanOf(token["single_word"], field, false),
    };
  });
}

function unknownOf(model: Json, pieces: Pieces): number | undefined {
  const id = model["unk_id"];
  if (id !== undefined && id !== null) {
    const found = idOf(id, "model.unk_id");
    if (found >= pieces.size) throw malformed("model.unk_id", `is ${found}; there are ${pieces.size} tokens`);
    return found;
  }
  const text = optionalString(model["unk_token"], "model.unk_token");
  if (text === undefined) return undefined;
  const found = pieces.findText(text);
  if (found < 0) throw malformed("model.unk_token", "is no token");
  return found;
}

interface KindSource {
  readonly texts: ReadonlyMap<number, string>;
  readonly added: readonly AddedToken[];
  readonly unk: number | undefined;
  readonly bytes: boolean;
}

function kindsOf(size: number, { texts, added, unk, bytes }: KindSource): Uint8Array {
  const kinds = new Uint8Array(size);
  for (const [id, text] of texts) kinds[id] = bytes && byteOfName(text) !== undefined ? byteToken : normal;
  for (const token of added) kinds[token.id] = token.special ? control : userDefined;
  if (unk !== undefined) kinds[unk] = unknown;
  return kinds;
}
