import type { LlamaModel, Token } from "node-llama-cpp";

/** A character has at most four bytes, and a token at least one. */
const longestCharacter = 4;
/** Tokens before that decide whether a space goes before the next. */
const contextTokens = 4;

export interface Detokenizer {
  /** The whole characters that this token completes; empty while one is incomplete. */
  push(token: Token): string;
  /** What is left of an incomplete character. */
  flush(): string;
}

/** Turns generated tokens into text. Control tokens show their text, for the parsers above; those that end a text do not. */
export function createDetokenizer(model: LlamaModel, prompt: readonly Token[]): Detokenizer {
  let last = prompt.slice(-contextTokens);
  let pending: Token[] = [];
  const take = (text: string): string => {
    last = [...last, ...pending].slice(-contextTokens);
    pending = [];
    return text;
  };
  return {
    push(token) {
      if (model.isEogToken(token)) return take("");
      pending.push(token);
      const text = model.detokenize(pending, true, last);
      return text.endsWith("\uFFFD") && pending.length < longestCharacter ? "" : take(text);
    },
    flush: () => (pending.length === 0 ? "" : take(model.detokenize(pending, true, last))),
  };
}

/** The bytes of a token, which need not be whole characters. `text` is what it detokenizes to. */
export function tokenBytes(model: LlamaModel, token: Token, text: string): readonly number[] {
  if (!text.includes("\uFFFD")) return [...Buffer.from(text)];
  const words: unknown = model.fileInfo.metadata?.tokenizer?.ggml?.tokens;
  const word = Array.isArray(words) ? String(words[token] ?? "") : "";
  const byte = /^<0x([0-9A-F]{2})>$/.exec(word)?.[1];
  if (byte !== undefined) return [Number.parseInt(byte, 16)];
  const bytes = Array.from(word, (character) => byteOf.get(character));
  return bytes.every((value) => value !== undefined) && bytes.length > 0 ? bytes : [...Buffer.from(text)];
}

/** GPT-2's spelling of bytes: printable ones stand for themselves, the rest for U+0100 and up, in order. */
const byteOf: ReadonlyMap<string, number> = new Map(
  (() => {
    const printable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    let next = 256;
    return Array.from({ length: 256 }, (_, byte) => [String.fromCodePoint(printable(byte) ? byte : next++), byte]);
  })(),
);
