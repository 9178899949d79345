import type { GrammarMask } from "../grammar/mask.ts";
import type { GrammarVocabulary } from "../grammar/trie.ts";

const words = ` the and is of in to name value true false null ": {" "} "}, [" "] ], }, }} ]] "," {"a": "b", 10 123 2024- -01 0. .5 1e aa
  ab ba é ü 中文 😀 \\n \\" \\\\ \\u00 \n\n \t ::= yes no abc`;
const texts = [...new Set(words.split(/ +/).flatMap((word) => (word === "" ? [] : [word, ` ${word}`])))];
const encoder = new TextEncoder();

/** All bytes, many pieces of text and JSON, some parts of characters, a control token and an end token. */
const tokens: readonly Uint8Array[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...texts.map((text) => encoder.encode(text)),
  Uint8Array.of(0xf0, 0x9f),
  Uint8Array.of(0x22, 0xe4),
  new Uint8Array(0),
  encoder.encode("<|user|>"),
  encoder.encode("<|end|>"),
];

export const control: number = tokens.length - 2;
export const end: number = tokens.length - 1;

/** A small vocabulary that can write any text in many ways. */
export const vocabulary: GrammarVocabulary = {
  size: tokens.length,
  endTokens: new Set([end]),
  tokenBytes: (id) => tokens[id] ?? new Uint8Array(0),
  isControl: (id) => id >= control,
};

export function bytesOf(id: number): Uint8Array {
  return vocabulary.tokenBytes(id);
}

/** Tokens that a mask allows. */
export function allowedTokens(mask: Uint32Array): number[] {
  return Array.from(tokens.keys()).filter((id) => ((mask[id >>> 5] ?? 0) >>> (id & 31)) & 1);
}

/** Writes a mask into an array. */
export function fill(mask: GrammarMask, bits: Uint32Array): void {
  mask.fill(bits);
}
