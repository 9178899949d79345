import { readCharsmap } from "../charsmap.ts";
import type { Charsmap } from "../charsmap.ts";
import { malformed, unsupported } from "../fail.ts";
import { printable } from "../../../../formats/gguf/malformed.ts";
import type { Before } from "../model.ts";
import { isIdeograph } from "../unicode.ts";
import { fromUtf8, toUtf8 } from "../utf8.ts";
import { readPattern } from "./pattern.ts";
import { booleanOf, listOf, objectOf, optionalObject, stringOf } from "./read.ts";
import type { Json } from "./read.ts";

/** Changes a text before it is cut into words. */
export type Normalizer = (text: string, before: Before) => string;

const field = "normalizer";

/** Reads `normalizer`. Throws `model_unsupported` for a kind that is not known. */
export function readNormalizer(value: unknown): Normalizer {
  const node = optionalObject(value, field);
  return node ? read(node, 0) : (text) => text;
}

function read(node: Json, depth: number): Normalizer {
  const type = stringOf(node["type"], field);
  if (depth > 10) throw malformed(field, "is nested too deeply");
  switch (type) {
    case "Sequence": {
      const steps = listOf(node["normalizers"], field).map((step) => read(objectOf(step, field), depth + 1));
      return (text, before) => steps.reduce((result, step) => step(result, before), text);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return (text) => unicodeForm(text, type);
    case "Lowercase":
      return lowerCaseAll;
    case "StripAccents":
      return (text) => text.replaceAll(/\p{M}/gu, "");
    case "Strip":
      return readStrip(node);
    case "Prepend": {
      const prefix = stringOf(node["prepend"], field);
      return (text, before) => (text === "" || before === "text" ? text : prefix + text);
    }
    case "Replace":
      return readReplace(node);
    case "Nmt":
      return removeControls;
    case "Precompiled":
      return readPrecompiled(node);
    case "BertNormalizer":
      return readBert(node);
    default:
      throw unsupported(field, `is of the kind "${printable(type, 40)}", which is not known`);
  }
}

type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/** The platform sorts marks in the square of their number. No writing system has so many on one letter. */
const mostMarks = 128;
const tooManyMarks = new RegExp(`\\p{M}{${mostMarks}}(?=\\p{M})`, "u");

function unicodeForm(text: string, form: Form): string {
  if (!/[^\p{ASCII}]/u.test(text)) return text;
  if (!tooManyMarks.test(text)) return text.normalize(form);
  const parts: string[] = [];
  let from = 0;
  for (const found of text.matchAll(new RegExp(tooManyMarks, "gu"))) {
    const to = found.index + found[0].length;
    parts.push(text.slice(from, to).normalize(form));
    from = to;
  }
  parts.push(text.slice(from).normalize(form));
  return parts.join("");
}

/** Letter by letter: at the end of a word the capital sigma becomes the same letter as elsewhere. */
function lowerCaseAll(text: string): string {
  return text.replaceAll("Σ", "σ").toLowerCase();
}

function readStrip(node: Json): Normalizer {
  const left = booleanOf(node["strip_left"], field, true);
  const right = booleanOf(node["strip_right"], field, true);
  return (text) => {
    const start = left ? text.replace(/^\p{White_Space}+/u, "") : text;
    return right ? trimEnd(start) : start;
  };
}

/** Not by an expression, which would try every run of spaces. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /^\p{White_Space}$/u.test(text[end - 1] ?? "")) end--;
  return text.slice(0, end);
}

function readReplace(node: Json): Normalizer {
  const find = readPattern(node["pattern"], field);
  const content = stringOf(node["content"], field);
  return (text) => {
    const found = find(text);
    if (found.length === 0) return text;
    let result = "";
    let from = 0;
    for (let index = 0; index < found.length; index += 2) {
      result += text.slice(from, found[index]) + content;
      from = found[index + 1] ?? 0;
    }
    return result + text.slice(from);
  };
}

/** Control characters that are no white space go, and rare spaces become spaces. Source: the rules of NMT in SentencePiece. */
function removeControls(text: string): string {
  return text
    .replaceAll(/[\p{Cc}]/gu, (character) =>
      /[\t\n\f\r\u0080-\u008e\u0090-\u009e\0]/.test(character) ? character : "",
    )
    .replaceAll(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, " ");
}

function readPrecompiled(node: Json): Normalizer {
  const charsmap = readCharsmap(decodeBase64(stringOf(node["precompiled_charsmap"], field)), "shortest");
  return (text) => normalizeGraphemes(text, charsmap);
}

function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw malformed(`${field}.precompiled_charsmap`, "is not written in base64");
  }
}

/**
 * As the port that made these files has it: a user-perceived character that has a replacement as a whole, and is short,
 * becomes that; otherwise each code point is replaced by itself.
 */
function normalizeGraphemes(text: string, charsmap: Charsmap): string {
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  const lookUp = (part: string): string | undefined => {
    const bytes = toUtf8(part);
    const found = charsmap(bytes, 0, bytes.length);
    return found && fromUtf8(found.bytes);
  };
  const known = new Map<string, string>();
  let result = "";
  for (const { segment } of segmenter.segment(text)) {
    let replaced = known.get(segment);
    if (replaced === undefined) {
      const whole = toUtf8(segment).length < 6 ? lookUp(segment) : undefined;
      replaced = whole ?? Array.from(segment, (character) => lookUp(character) ?? character).join("");
      if (known.size < 10_000 && segment.length < 40) known.set(segment, replaced);
    }
    result += replaced;
  }
  return result;
}

/** BERT's normalization (J. Devlin et al. 2019). */
function readBert(node: Json): Normalizer {
  const lowercase = booleanOf(node["lowercase"], field, true);
  const strip = booleanOf(node["strip_accents"], field, lowercase);
  const clean = booleanOf(node["clean_text"], field, true);
  const ideographs = booleanOf(node["handle_chinese_chars"], field, true);
  return (text) => {
    let result = clean ? cleanText(text) : text;
    if (ideographs) result = spaceIdeographs(result);
    if (strip) result = unicodeForm(result, "NFD").replaceAll(/\p{Mn}/gu, "");
    return lowercase ? lowerCaseAll(result) : result;
  };
}

function cleanText(text: string): string {
  return text.replaceAll(/[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu, "").replaceAll(/\p{White_Space}/gu, " ");
}

function spaceIdeographs(text: string): string {
  return text.replaceAll(/[\u3400-\u9fff\uf900-\ufaff]|[\u{20000}-\u{2fa1f}]/gu, (character) =>
    isIdeograph(character.codePointAt(0) ?? 0) ? ` ${character} ` : character,
  );
}
