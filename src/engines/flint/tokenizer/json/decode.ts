import { decodeByteLevel } from "../byte-level.ts";
import { unsupported } from "../fail.ts";
import { printable } from "../../../../formats/gguf/malformed.ts";
import { byteToken, control, normal, unknown, userDefined } from "../kinds.ts";
import { byteOfName, toUtf8 } from "../utf8.ts";
import { blank } from "../words.ts";
import { booleanOf, isObject, listOf, numberOf, objectOf, optionalObject, optionalString, stringOf } from "./read.ts";
import type { Json } from "./read.ts";
import type { JsonVocabulary } from "./vocabulary.ts";

/** How the texts of tokens become text. */
export interface Decoder {
  readonly tokenBytes: (id: number) => Uint8Array;
  /** Takes from a decoded text what encoding had added to it. */
  readonly trim: (text: string) => string;
}

interface Style {
  byteLevel: boolean;
  readonly replacements: (readonly [string, string])[];
  /** Pieces that go on a word begin so; all others get a space in front. */
  wordPrefix: string | undefined;
  /** Spaces at the start of a text that are not of it. */
  spaces: number;
}

const field = "decoder";

/** Reads `decoder`; without one, tokens are written as they are. Throws `model_unsupported` for unknown kinds. */
export function readDecoder(value: unknown, { pieces, kinds }: JsonVocabulary): Decoder {
  const style: Style = { byteLevel: false, replacements: [], wordPrefix: undefined, spaces: 0 };
  const node = optionalObject(value, field);
  if (node) readStep(node, style, 0);
  return {
    tokenBytes(id) {
      const kind = kinds[id] ?? 0;
      if (kind & (control | unknown | userDefined)) return pieces.bytesOf(id);
      if (kind & byteToken) return Uint8Array.of(byteOfName(pieces.text(id)) ?? 0);
      if ((kind & normal) === 0) return new Uint8Array(0);
      return decodeText(pieces.text(id), style);
    },
    trim(text) {
      let from = 0;
      while (from < style.spaces && text[from] === " ") from++;
      return text.slice(from);
    },
  };
}

function decodeText(text: string, { byteLevel, replacements, wordPrefix }: Style): Uint8Array {
  if (byteLevel) return decodeByteLevel(text);
  let result = text;
  for (const [from, to] of replacements) result = result.replaceAll(from, to);
  if (wordPrefix === undefined) return toUtf8(result);
  return toUtf8(result.startsWith(wordPrefix) ? result.slice(wordPrefix.length) : ` ${result}`);
}

function readStep(node: Json, style: Style, depth: number): void {
  const type = stringOf(node["type"], field);
  if (depth > 10) throw unsupported(field, "is nested too deeply");
  switch (type) {
    case "Sequence":
      for (const step of listOf(node["decoders"], field)) readStep(objectOf(step, field), style, depth + 1);
      return;
    case "ByteLevel":
      style.byteLevel = true;
      return;
    case "Replace": {
      const pattern = isObject(node["pattern"]) ? node["pattern"]["String"] : node["pattern"];
      style.replacements.push([stringOf(pattern, field), stringOf(node["content"], field)]);
      return;
    }
    case "Metaspace":
      style.replacements.push([optionalString(node["replacement"], field) ?? blank, " "]);
      if (node["prepend_scheme"] !== "never" && booleanOf(node["add_prefix_space"], field, true)) style.spaces = 1;
      return;
    case "WordPiece":
      style.wordPrefix = optionalString(node["prefix"], field) ?? "##";
      style.spaces = 1;
      return;
    case "Strip":
      style.spaces = node["content"] === " " ? numberOf(node["start"] ?? 0, field) : 0;
      return;
    case "ByteFallback":
    case "Fuse":
      return;
    default:
      throw unsupported(field, `is of the kind "${printable(type, 40)}", which is not known`);
  }
}
