/** What the normalizer of a tokenizer.json does, as far as GGUF has words for it. */
import { isObject, malformed } from "../json.ts";
import type { Json } from "../json.ts";

export interface Normalizer {
  /** It does nothing, or only composes characters, which the engines leave out. */
  readonly isPlain: boolean;
  /** It does something that none of the other words say. */
  readonly isUnknown: boolean;
  readonly replacesSpaces: boolean;
  /** Puts U+2581 before the text. */
  readonly prepends: boolean;
  /** Several spaces become one. */
  readonly mergesSpaces: boolean;
  readonly charsmap: Uint8Array | undefined;
  readonly isBert: boolean;
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
}

type Draft = { -readonly [Key in keyof Normalizer]: Normalizer[Key] };

export function readNormalizer(value: unknown): Normalizer {
  const result: Draft = {
    isPlain: true,
    isUnknown: false,
    replacesSpaces: false,
    prepends: false,
    mergesSpaces: false,
    charsmap: undefined,
    isBert: false,
    lowercase: false,
    stripAccents: false,
  };
  if (isObject(value)) read(value, result, 0);
  return result;
}

const spaces = /^(\\s| |\[\\s\]| \{2,\})(\{2,\}|\+)?$/;

function read(node: Json, result: Draft, depth: number): void {
  const type = node["type"];
  if (type === "Sequence" && depth < 10) {
    const steps = node["normalizers"];
    if (Array.isArray(steps)) for (const step of steps) if (isObject(step)) read(step, result, depth + 1);
    return;
  }
  if (type === "NFC") return;
  result.isPlain = false;
  if (type === "Prepend" && node["prepend"] === "\u2581") result.prepends = true;
  else if (type === "Replace") replace(node, result);
  else if (type === "Precompiled") result.charsmap = decode(node["precompiled_charsmap"]);
  // SentencePiece strips the spaces around a text where it merges those inside.
  else if (type === "Strip") result.mergesSpaces = true;
  else if (type === "BertNormalizer") bert(node, result);
  else result.isUnknown = true;
}

function replace({ pattern, content }: Json, result: Draft): void {
  const { String: text, Regex: regex } = isObject(pattern) ? pattern : {};
  if (text === " " && content === "\u2581") result.replacesSpaces = true;
  else if (typeof regex === "string" && spaces.test(regex) && (content === " " || content === "\u2581")) {
    result.mergesSpaces = true;
  } else result.isUnknown = true;
}

function decode(value: unknown): Uint8Array {
  if (typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value)) return Buffer.from(value, "base64");
  throw malformed("tokenizer.json", "normalizer.precompiled_charsmap", "is not written in base64");
}

function bert(node: Json, result: Draft): void {
  result.isBert = true;
  result.lowercase = node["lowercase"] !== false;
  result.stripAccents = typeof node["strip_accents"] === "boolean" ? node["strip_accents"] : result.lowercase;
}
