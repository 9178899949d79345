import type { PromptPart } from "../../spec/engine.ts";

/** Every piece this process has seen, by its id, so that tokens turn back into their text. */
const pieces = new Map<number, string>();

/** `<s>`, `<|im_end|>`, `[INST]`: what a special part may turn into one control token. */
const control = /<[^<>\s]+>|\[\/?[A-Z_]+\]/gu;

/** One token a picture, which depends on its bytes; one token a word with the space before it; ids depend on the text alone. Control tokens have ids of their own. */
export function fakeTokenize(parts: readonly PromptPart[]): number[] {
  return parts.flatMap((part) => {
    if ("image" in part) return [intern(`picture:${part.image.bytes.join()}`, "")];
    const { text, special } = part;
    if (!special) return splitWords(text).map((piece) => intern(piece, ""));
    const tokens: number[] = [];
    let from = 0;
    for (const match of text.matchAll(control)) {
      tokens.push(...splitWords(text.slice(from, match.index)).map((piece) => intern(piece, "")));
      tokens.push(intern(match[0], "control:"));
      from = match.index + match[0].length;
    }
    tokens.push(...splitWords(text.slice(from)).map((piece) => intern(piece, "")));
    return tokens;
  });
}

/** The text of a token; U+FFFD for one that never came from a text. */
export function fakeDetokenize(tokens: readonly number[]): string {
  return tokens.map((token) => pieces.get(token) ?? "\uFFFD").join("");
}

export function splitWords(text: string): string[] {
  return text.match(/\s*\S+|\s+/gu) ?? [];
}

/** 31-bit FNV-1a. Two words with one hash would be one token; at test sizes they are not. */
export function hashText(text: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01_00_01_93);
  }
  return hash >>> 1;
}

/** The token of a piece that is used whole, whatever words it has. */
export function internPiece(piece: string): number {
  return intern(piece, "");
}

function intern(piece: string, kind: string): number {
  const id = hashText(kind + piece);
  pieces.set(id, piece);
  return id;
}
