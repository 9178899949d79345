/** The tokenizer of a checkpoint, from whichever file it has. */
import { readFileSync, statSync } from "node:fs";
import type { CheckpointFiles } from "../files.ts";
import { isObject, malformed, readJsonFile, readText } from "../json.ts";
import type { Json } from "../json.ts";
import { HearthError } from "../../../error.ts";
import { readTokenizerJson, wordPieceText } from "./json.ts";
import { readRoles } from "./roles.ts";
import { readAddedTokens, readSentencePiece } from "./sentencepiece.ts";
import { TokenTable, tokenTypes } from "./table.ts";
import { roleKeys, vocabularyKeys } from "./vocabulary.ts";
import type { Vocabulary, VocabularyKeys } from "./vocabulary.ts";

export interface TokenizerSource {
  readonly files: CheckpointFiles;
  readonly config: Json;
  readonly generation: Json;
  readonly settings: Json;
  /** Rows of the table of embeddings. */
  readonly rows: number;
}

export interface TokenizerKeys {
  readonly keys: VocabularyKeys;
  /** Special tokens take the white space behind them: Phi-3, which engines know by its name. */
  readonly stripsBehind: boolean;
  /** What GGUF has no words for, and the text of the `tokenizer.json` that has. */
  readonly unnamed?: { readonly problem: string; readonly text: string };
}

/** Keys `tokenizer.ggml.*`. Throws `model_not_found` where there is no tokenizer. */
export function readTokenizer(source: TokenizerSource): TokenizerKeys {
  const { files, settings, rows } = source;
  const optional = (name: string): Json | undefined => {
    const path = files.paths.get(name);
    return path === undefined ? undefined : readJsonFile(path, name);
  };
  const json = optional("tokenizer.json");
  const { vocabulary, own } = readVocabulary(files, json, settings);
  const { roles, flags } = readRoles({
    ...source,
    vocabulary,
    json: json ?? {},
    settings: { ...optional("special_tokens_map.json"), ...withoutNulls(settings) },
    own,
  });
  const all = { ...vocabulary, flags: { ...vocabulary.flags, ...flags } };
  const { problem } = vocabulary;
  return {
    keys: {
      ...vocabularyKeys(all, rows),
      ...roleKeys({ ...unknownOf(vocabulary), ...withoutUndefined(roles) }, rows),
    },
    stripsBehind: stripsBehind(json),
    ...(problem !== undefined && { unnamed: { problem, text: JSON.stringify(json) } }),
  };
}

function withoutNulls(values: Json): Json {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

function withoutUndefined<Value>(values: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  const entries = Object.entries(values).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

interface FoundVocabulary {
  readonly vocabulary: Vocabulary;
  readonly own?: Readonly<Record<string, number | undefined>>;
}

function readVocabulary(files: CheckpointFiles, json: Json | undefined, settings: Json): FoundVocabulary {
  if (json) return { vocabulary: readTokenizerJson(json) };
  const model = files.paths.get("tokenizer.model");
  if (model !== undefined) {
    const { size } = statSync(model);
    if (size > 64 * 1024 ** 2) throw malformed("tokenizer.model", "size", `is ${size} bytes`);
    const added = files.paths.get("added_tokens.json");
    const more = added === undefined ? {} : readJsonFile(added, "added_tokens.json");
    const { roles, ...vocabulary } = readSentencePiece(readFileSync(model), readAddedTokens(settings, more));
    return { vocabulary, own: roles };
  }
  const words = files.paths.get("vocab.txt");
  if (words !== undefined) return { vocabulary: readWords(readText(words, "vocab.txt"), settings) };
  throw new HearthError("model_not_found", `${files.name} has no tokenizer.`, {
    hint: "tokenizer.json, tokenizer.model or vocab.txt must stand beside config.json.",
  });
}

/** WordPiece as one token a line; the rest is as BERT has it, unless the settings say otherwise. */
function readWords(text: string, settings: Json): Vocabulary {
  const table = new TokenTable("vocab.txt");
  for (const [id, line] of text
    .replace(/\r?\n$/, "")
    .split(/\r?\n/)
    .entries()) {
    const type =
      line === "[UNK]"
        ? tokenTypes.unknown
        : /^\[(PAD|CLS|SEP|MASK)\]$/.test(line)
          ? tokenTypes.control
          : tokenTypes.normal;
    table.set(id, type === tokenTypes.normal ? wordPieceText(line) : line, type);
  }
  const lowercase = settings["do_lower_case"] !== false;
  const strip = settings["strip_accents"];
  const flags = {
    "normalizer.lowercase": lowercase,
    "normalizer.strip_accents": typeof strip === "boolean" ? strip : lowercase,
  };
  return { model: "bert", pre: "default", table, hasScores: false, flags };
}

function unknownOf({ table, model }: Vocabulary): Record<string, number> {
  if (model === "gpt2") return {};
  for (let id = 0; id < table.size; id++) if (table.at(id)?.type === tokenTypes.unknown) return { unknown: id };
  return {};
}

function stripsBehind(json: Json | undefined): boolean {
  const added = json?.["added_tokens"];
  if (!Array.isArray(added)) return false;
  return added.some((token) => isObject(token) && token["special"] === true && token["rstrip"] === true);
}
