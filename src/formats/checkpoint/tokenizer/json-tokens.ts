/** The tokens of a `tokenizer.json`. */
import { isObject, malformed, unsupported } from "../json.ts";
import type { Json } from "../json.ts";
import type { TokenTable } from "./table.ts";
import { tokenTypes } from "./table.ts";

const file = "tokenizer.json";

export function readIds(model: Json, table: TokenTable): void {
  const vocab = model["vocab"];
  if (!isObject(vocab)) throw malformed(file, "model.vocab", "is no object");
  for (const [text, id] of Object.entries(vocab)) table.set(id, text, tokenTypes.normal);
}

/** Tokens beside the model's: control tokens where `special`, others are found in every text. */
export function addAdded(json: Json, table: TokenTable, spell: (text: string) => string = (text) => text): void {
  const added = json["added_tokens"] ?? [];
  if (!Array.isArray(added)) throw malformed(file, "added_tokens", "is no list");
  for (const token of added as readonly unknown[]) {
    if (!isObject(token) || typeof token["content"] !== "string")
      throw malformed(file, "added_tokens", "has no content");
    const special = token["special"] === true;
    if (!special && ["single_word", "lstrip", "rstrip"].some((name) => token[name] === true)) {
      throw unsupported(file, "added_tokens", "has a token that takes more than its own text, or stands alone");
    }
    const known = table.at(Number(token["id"]));
    const text = special || known ? token["content"] : spell(token["content"]);
    table.set(token["id"], text, special ? tokenTypes.control : tokenTypes.userDefined);
  }
}

export function readScored(vocab: readonly unknown[], table: TokenTable): void {
  for (const [id, entry] of vocab.entries()) {
    const [text, score] = Array.isArray(entry) ? (entry as readonly unknown[]) : [];
    if (typeof score !== "number") throw malformed(file, "model.vocab", `has no score for token ${id}`);
    table.set(id, text, tokenTypes.normal, score);
  }
}

export function markUnknown(model: Json, table: TokenTable): number | undefined {
  const byId = model["unk_id"];
  const text = model["unk_token"];
  const id = typeof byId === "number" ? byId : table.find(typeof text === "string" ? text : undefined);
  const token = id === undefined ? undefined : table.at(id);
  if (token) token.type = tokenTypes.unknown;
  return id;
}

export function markBytes(table: TokenTable): void {
  for (let byte = 0; byte < 256; byte++) {
    const id = table.find(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    const token = id === undefined ? undefined : table.at(id);
    if (token) token.type = tokenTypes.byte;
  }
}

export function plainAdded(added: unknown): unknown {
  if (!Array.isArray(added)) return added;
  return added.map((token: unknown) =>
    isObject(token) ? { id: token["id"], content: token["content"], special: token["special"] } : token,
  );
}
