/** `tokenizer.json` of Hugging Face's library → a vocabulary of GGUF. */
import { HearthError } from "../../../error.ts";
import { printable } from "../../gguf/malformed.ts";
import { isObject, malformed, unsupported } from "../json.ts";
import type { Json } from "../json.ts";
import { addAdded, markBytes, markUnknown, plainAdded, readIds, readScored } from "./json-tokens.ts";
import { readMerges, scoresOfMerges } from "./merges.ts";
import { readNormalizer } from "./normalizer.ts";
import type { Normalizer } from "./normalizer.ts";
import { preTokenizerName } from "./pre-tokenizer.ts";
import { TokenTable, tokenTypes } from "./table.ts";
import type { Vocabulary } from "./vocabulary.ts";

const file = "tokenizer.json";

/** Where GGUF has no words for what it does, it has no `pre`, but a `problem`. Throws `model_malformed`. */
export function readTokenizerJson(json: Json): Vocabulary {
  const model = json["model"];
  if (!isObject(model)) throw malformed(file, "model", "is missing");
  try {
    return readModel(json, model);
  } catch (error) {
    if (!(error instanceof HearthError) || error.code !== "model_unsupported") throw error;
    return bare(json, model, error.message);
  }
}

/** The tokens alone. */
function bare(json: Json, model: Json, problem: string): Vocabulary {
  const table = new TokenTable(file);
  if (Array.isArray(model["vocab"])) readScored(model["vocab"] as readonly unknown[], table);
  else readIds(model, table);
  addAdded({ ...json, added_tokens: plainAdded(json["added_tokens"]) }, table);
  return { model: "gpt2", pre: undefined, problem, table, hasScores: false, flags: {} };
}

function readModel(json: Json, model: Json): Vocabulary {
  const type = model["type"] ?? (Array.isArray(model["merges"]) ? "BPE" : "WordPiece");
  switch (type) {
    case "BPE":
      return isByteLevel(json) ? bytePairs(json, model) : sentencePiece(json, model);
    case "Unigram":
      return unigram(json, model);
    case "WordPiece":
      return wordPiece(json, model);
    default:
      throw unsupported(
        file,
        "model.type",
        `is "${printable(typeof type === "string" ? type : typeof type, 40)}", which is not known`,
      );
  }
}

/** Whether a step of this kind is anywhere in a pre-tokenizer, normalizer or decoder. */
function mentions(value: unknown, type: string, depth = 0): boolean {
  if (depth > 10 || !isObject(value)) return false;
  if (value["type"] === type) return true;
  return Object.values(value).some(
    (steps) => Array.isArray(steps) && steps.some((step) => mentions(step, type, depth + 1)),
  );
}

function isByteLevel(json: Json): boolean {
  return mentions(json["pre_tokenizer"], "ByteLevel") || mentions(json["normalizer"], "ByteLevel");
}

function refuseBpe(model: Json): void {
  for (const name of ["continuing_subword_prefix", "end_of_word_suffix", "dropout"]) {
    if (model[name]) throw unsupported(file, `model.${name}`, "is set; GGUF has no words for it");
  }
}

/** Tokens in byte characters, as GPT-2 has them. */
function bytePairs(json: Json, model: Json): Vocabulary {
  refuseBpe(model);
  const table = new TokenTable(file);
  readIds(model, table);
  addAdded(json, table);
  const { isPlain } = readNormalizer(json["normalizer"]);
  const pre = preTokenizerName(json["pre_tokenizer"], model["ignore_merges"] === true);
  if (!isPlain) throw unsupported(file, "normalizer", "changes texts, which GGUF has no words for here");
  if (pre === undefined) throw unsupported(file, "pre_tokenizer", "cuts texts in a way that has no name in GGUF");
  return {
    model: "gpt2",
    pre,
    table,
    hasScores: false,
    merges: readMerges(model).map(([left, right]) => `${left} ${right}`),
    flags: {},
  };
}

const blank = "\u2581";

/** Text with U+2581 for spaces and bytes as `<0x0A>`; GGUF keeps the order of the merges as scores. */
function sentencePiece(json: Json, model: Json): Vocabulary {
  refuseBpe(model);
  if (model["byte_fallback"] !== true) {
    throw unsupported(file, "model", "is a BPE neither of bytes nor with bytes for what is no token");
  }
  const table = new TokenTable(file);
  readIds(model, table);
  scoresOfMerges(readMerges(model), table);
  markBytes(table);
  addAdded(json, table, (text) => text.replaceAll(blank, " "));
  markUnknown(model, table);
  const normalizer = readNormalizer(json["normalizer"]);
  return {
    model: "llama",
    pre: "default",
    table,
    hasScores: true,
    flags: { add_space_prefix: spaceBefore(normalizer, json["pre_tokenizer"]) },
  };
}

/** Whether a text gets a space in front. Throws where spaces are not replaced as GGUF takes for granted. */
function spaceBefore(normalizer: Normalizer, preTokenizer: unknown): boolean {
  if (normalizer.isUnknown) throw unsupported(file, "normalizer", "is of a kind that GGUF has no words for here");
  const metaspace = findMetaspace(preTokenizer);
  if (metaspace) {
    const scheme = metaspace["prepend_scheme"];
    return scheme === undefined ? metaspace["add_prefix_space"] !== false : scheme !== "never";
  }
  if (!normalizer.replacesSpaces) throw unsupported(file, "pre_tokenizer", "does not replace spaces by U+2581");
  return normalizer.prepends;
}

function findMetaspace(value: unknown): Json | undefined {
  if (!isObject(value)) return undefined;
  if (value["type"] === "Metaspace") return value;
  const steps = value["pretokenizers"];
  return Array.isArray(steps) ? steps.map(findMetaspace).find((found) => found !== undefined) : undefined;
}

function unigram(json: Json, model: Json): Vocabulary {
  const table = new TokenTable(file);
  if (!Array.isArray(model["vocab"])) throw malformed(file, "model.vocab", "is no list");
  readScored(model["vocab"] as readonly unknown[], table);
  if (model["byte_fallback"] === true)
    throw unsupported(file, "model.byte_fallback", "is true in a unigram vocabulary");
  addAdded(json, table);
  if (markUnknown(model, table) === undefined) throw unsupported(file, "model.unk_id", "is missing");
  const normalizer = readNormalizer(json["normalizer"]);
  const { charsmap, mergesSpaces, isUnknown } = normalizer;
  if (isUnknown) throw unsupported(file, "normalizer", "is of a kind that GGUF has no words for here");
  return {
    model: "t5",
    pre: "default",
    table,
    hasScores: true,
    ...(charsmap && { charsmap }),
    flags: {
      add_space_prefix: spaceBefore({ ...normalizer, replacesSpaces: true }, json["pre_tokenizer"]),
      remove_extra_whitespaces: mergesSpaces || mentions(json["pre_tokenizer"], "WhitespaceSplit"),
    },
  };
}

/** GGUF marks the start of a word with U+2581, and what goes on inside one with nothing. */
export function wordPieceText(text: string, prefix = "##"): string {
  if (text.startsWith(prefix)) return text.slice(prefix.length);
  return /^\[.*\]$/su.test(text) ? text : blank + text;
}

function wordPiece(json: Json, model: Json): Vocabulary {
  const prefix = model["continuing_subword_prefix"] ?? "##";
  if (typeof prefix !== "string" || prefix === "")
    throw malformed(file, "model.continuing_subword_prefix", "is no text");
  const names = new TokenTable(file);
  readIds(model, names);
  addAdded(json, names);
  const unknown = markUnknown(model, names);
  const table = new TokenTable(file);
  for (let id = 0; id < names.size; id++) {
    const token = names.at(id);
    if (!token) continue;
    const isPlain = token.type === tokenTypes.normal;
    table.set(id, isPlain ? wordPieceText(token.text, prefix) : token.text, token.type);
  }
  if (unknown === undefined) throw unsupported(file, "model.unk_token", "is no token");
  const { lowercase, stripAccents, isBert } = readNormalizer(json["normalizer"]);
  if (!isBert) throw unsupported(file, "normalizer", "is not that of BERT, which GGUF takes for granted");
  const flags = { "normalizer.lowercase": lowercase, "normalizer.strip_accents": stripAccents };
  return { model: "bert", pre: "default", table, hasScores: false, flags };
}
