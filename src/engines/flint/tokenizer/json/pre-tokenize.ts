import { printable } from "../../../../formats/gguf/malformed.ts";
import { malformed, unsupported } from "../fail.ts";
import type { Before } from "../model.ts";
import { blank } from "../words.ts";
import { cutText, findRegex, readBehavior, readPattern } from "./pattern.ts";
import type { Behavior, Finder } from "./pattern.ts";
import { booleanOf, listOf, objectOf, optionalObject, optionalString, stringOf } from "./read.ts";
import type { Json } from "./read.ts";

/** Cuts a text into the words that the model sees. */
export type PreTokenizer = (pieces: readonly string[], before: Before) => readonly string[];

const field = "pre_tokenizer";
const gpt2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const punctuation = String.raw`[!-/:-@\[-${"`"}{-~\p{P}]`;
/** `\w` of another engine than the one that runs the patterns of files. */
const word = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}`;

/** Reads `pre_tokenizer`. Throws `model_unsupported` for a kind that is not known. */
export function readPreTokenizer(value: unknown): PreTokenizer {
  const node = optionalObject(value, field);
  return node ? read(node, 0) : (pieces) => pieces;
}

/** Whether texts become byte characters before the model sees them. */
export function isByteLevel(value: unknown): boolean {
  const node = optionalObject(value, field);
  if (node?.["type"] !== "Sequence") return node?.["type"] === "ByteLevel";
  const steps = listOf(node["pretokenizers"] ?? node["normalizers"], field);
  const at = steps.findIndex(isByteLevel);
  if (at >= 0 && at < steps.length - 1) throw unsupported(field, "changes the text after its bytes");
  return at >= 0;
}

function read(node: Json, depth: number): PreTokenizer {
  const type = stringOf(node["type"], field);
  if (depth > 10) throw malformed(field, "is nested too deeply");
  switch (type) {
    case "Sequence": {
      const steps = listOf(node["pretokenizers"], field).map((step) => read(objectOf(step, field), depth + 1));
      return (pieces, before) => steps.reduce((result, step) => step(result, before), pieces);
    }
    case "Split":
      return cutAll(readPattern(node["pattern"], field), {
        behavior: readBehavior(node["behavior"], field),
        invert: booleanOf(node["invert"], field, false),
      });
    case "ByteLevel":
      return readByteLevel(node);
    case "Metaspace":
      return readMetaspace(node);
    case "Digits": {
      const alone = booleanOf(node["individual_digits"], field, false);
      return cutAll(findRegex(String.raw`\p{N}`), { behavior: alone ? "Isolated" : "Contiguous" });
    }
    case "Punctuation":
      return cutAll(findRegex(punctuation), { behavior: readBehavior(node["behavior"] ?? "Isolated", field) });
    case "Whitespace":
      return cutAll(findRegex(String.raw`[${word}]+|[^${word}\s]+`), { behavior: "Removed", invert: true });
    case "WhitespaceSplit":
      return cutAll(findRegex(String.raw`\s`), { behavior: "Removed" });
    case "CharDelimiterSplit":
      return cutAll(readPattern(node["delimiter"], field), { behavior: "Removed" });
    case "BertPreTokenizer": {
      const words = cutAll(findRegex(String.raw`\s`), { behavior: "Removed" });
      const marks = cutAll(findRegex(punctuation), { behavior: "Isolated" });
      return (pieces, before) => marks(words(pieces, before), before);
    }
    default:
      throw unsupported(field, `is of the kind "${printable(type, 40)}", which is not known`);
  }
}

function cutAll(find: Finder, options: { readonly behavior: Behavior; readonly invert?: boolean }): PreTokenizer {
  return (pieces) => pieces.flatMap((piece) => cutText(piece, { find, ...options }));
}

function readByteLevel(node: Json): PreTokenizer {
  const spaced = booleanOf(node["add_prefix_space"], field, true);
  const cut = booleanOf(node["use_regex"], field, true)
    ? cutAll(findRegex(gpt2), { behavior: "Isolated" })
    : (pieces: readonly string[]) => pieces;
  return (pieces, before) => {
    if (!spaced) return cut(pieces, before);
    const prefixed = pieces.map((piece, index) =>
      piece.startsWith(" ") || (index === 0 && before === "text") ? piece : ` ${piece}`,
    );
    return cut(prefixed, before);
  };
}

type Scheme = "always" | "first" | "never";

function readScheme(node: Json): Scheme {
  const scheme = optionalString(node["prepend_scheme"], field);
  if (scheme === "always" || scheme === "first" || scheme === "never") return scheme;
  if (scheme !== undefined) throw unsupported(field, "prepends in a way that is not known");
  return booleanOf(node["add_prefix_space"], field, true) ? "always" : "never";
}

function readMetaspace(node: Json): PreTokenizer {
  const replacement = optionalString(node["replacement"], field) ?? blank;
  const scheme = readScheme(node);
  const split = booleanOf(node["split"], field, true);
  const cut = cutAll(readPattern({ String: replacement }, field), { behavior: "MergedWithNext" });
  return (pieces, before) => {
    const replaced = pieces.map((piece, index) => {
      const text = piece.replaceAll(" ", replacement);
      const first = index === 0;
      const wanted =
        scheme === "always" ? !first || before !== "text" : scheme === "first" && first && before === "nothing";
      return wanted && !text.startsWith(replacement) ? replacement + text : text;
    });
    return split ? cut(replaced, before) : replaced;
  };
}
