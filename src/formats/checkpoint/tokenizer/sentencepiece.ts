/** `tokenizer.model` of SentencePiece. Fields: sentencepiece_model.proto of https://github.com/google/sentencepiece */
import { isObject, malformed, unsupported } from "../json.ts";
import type { Json } from "../json.ts";
import { readFields } from "./protobuf.ts";
import type { FieldValue } from "./protobuf.ts";
import { TokenTable, tokenTypes } from "./table.ts";
import type { Vocabulary } from "./vocabulary.ts";

const file = "tokenizer.model";

export interface SentencePieceVocabulary extends Vocabulary {
  /** Roles that the file itself knows. */
  readonly roles: Readonly<Record<"bos" | "eos" | "unknown" | "padding", number | undefined>>;
}

/**
 * Types of pieces have the same numbers in GGUF. `added`: tokens of `tokenizer_config.json` and `added_tokens.json`, which
 * come after those of the file or change them.
 */
export function readSentencePiece(bytes: Uint8Array, added: ReadonlyMap<number, Json>): SentencePieceVocabulary {
  const table = new TokenTable(file);
  const trainer = new Map<number, FieldValue>();
  const normalizer = new Map<number, FieldValue>();
  readFields(bytes, (field, value) => {
    if (!(value instanceof Uint8Array)) return;
    if (field === 1) addPiece(table, value);
    else if (field === 2) readFields(value, (key, inner) => void trainer.set(key, inner));
    else if (field === 3) readFields(value, (key, inner) => void normalizer.set(key, inner));
  });
  if (table.size === 0) throw malformed(file, "pieces", "has none");
  for (const [id, token] of added) {
    const special = token["special"] !== false;
    const text = String(token["content"]);
    table.set(
      id,
      special ? text : text.replaceAll("\u2581", " "),
      special ? tokenTypes.control : tokenTypes.userDefined,
    );
  }
  const charsmap = normalizer.get(2);
  return {
    model: modelOf(trainer.get(3)),
    pre: "default",
    table,
    hasScores: true,
    ...(charsmap instanceof Uint8Array && charsmap.length > 0 && modelOf(trainer.get(3)) === "t5" && { charsmap }),
    flags: {
      add_space_prefix: normalizer.get(3) !== 0,
      remove_extra_whitespaces: normalizer.get(4) !== 0,
    },
    roles: {
      unknown: roleOf(trainer.get(40), 0),
      bos: roleOf(trainer.get(41), 1),
      eos: roleOf(trainer.get(42), 2),
      padding: roleOf(trainer.get(43), undefined),
    },
  };
}

/** Piece, score, type. */
function addPiece(table: TokenTable, bytes: Uint8Array): void {
  let piece = "";
  let score = 0;
  let type: number = tokenTypes.normal;
  readFields(bytes, (field, value) => {
    if (field === 1 && value instanceof Uint8Array) piece = new TextDecoder().decode(value);
    else if (field === 2 && typeof value === "number") score = value;
    else if (field === 3 && typeof value === "number") type = value;
  });
  table.set(table.size, piece, type, score);
}

function modelOf(type: FieldValue | undefined): "llama" | "t5" {
  if (type === 2) return "llama";
  if (type === 1 || type === undefined) return "t5";
  throw unsupported(file, "model_type", `is ${String(type)}; only unigram and BPE are known`);
}

/** Negative ids, which say that there is none, are written as large numbers. */
function roleOf(value: FieldValue | undefined, byDefault: number | undefined): number | undefined {
  if (value === undefined) return byDefault;
  return typeof value === "number" && value < 2 ** 31 ? value : undefined;
}

/** Added tokens by id, from `added_tokens_decoder` of tokenizer_config.json, or from added_tokens.json. */
export function readAddedTokens(config: Json, addedJson: Json): ReadonlyMap<number, Json> {
  const found = new Map<number, Json>();
  for (const [content, id] of Object.entries(addedJson)) if (typeof id === "number") found.set(id, { content });
  const decoder = config["added_tokens_decoder"];
  if (!isObject(decoder)) return found;
  for (const [id, token] of Object.entries(decoder)) if (isObject(token)) found.set(Number(id), token);
  return found;
}
