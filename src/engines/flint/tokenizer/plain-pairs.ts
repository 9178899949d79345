import { Run, mergeRun } from "./merge.ts";
import type { Joins } from "./merge.ts";
import type { Pieces } from "./pieces.ts";
import { Scratch, characterBytes, nameOfByte } from "./utf8.ts";
import { WordCache, blankEnds } from "./words.ts";
import { pushAll } from "./model.ts";

export interface PlainPairOptions {
  readonly pieces: Pieces;
  readonly joins: (scratch: Scratch) => Joins;
  /** Characters that tokens have in front of U+2581. */
  readonly sticky: ReadonlySet<string>;
  /** Appends what stands for a character that is no token. */
  readonly unknown: (bytes: Uint8Array, output: number[]) => void;
}

/** Merges the characters of a text in which U+2581 stands for the space, and appends the tokens. */
export type PlainPairs = (text: string, output: number[]) => void;

export function createPlainPairs({ pieces, joins, sticky, unknown }: PlainPairOptions): PlainPairs {
  const cache = new WordCache();
  const scratch = new Scratch();
  const run = new Run();
  const table = joins(scratch);
  const encodeWord = (word: string): Int32Array => {
    const length = scratch.write(word);
    run.clear(0);
    for (let at = 0; at < length;) {
      const end = Math.min(length, at + characterBytes(scratch.bytes[at] ?? 0));
      run.push(pieces.find(scratch.bytes, at, end), end);
      at = end;
    }
    mergeRun(run, table);
    const tokens = collect();
    run.release();
    scratch.release();
    return tokens;
  };
  const collect = (): Int32Array => {
    const ids = run.ids.subarray(0, run.count);
    if (!ids.includes(-1)) return ids.slice();
    const tokens: number[] = [];
    for (const [index, id] of ids.entries()) {
      const from = index === 0 ? 0 : (run.ends[index - 1] ?? 0);
      if (id >= 0) tokens.push(id);
      else unknown(scratch.bytes.subarray(from, run.ends[index]), tokens);
    }
    return Int32Array.from(tokens);
  };
  return (text, output) => {
    let from = 0;
    for (const to of blankEnds(text, sticky)) {
      const word = text.slice(from, to);
      let tokens = cache.get(word);
      if (!tokens) cache.set(word, (tokens = encodeWord(word)));
      pushAll(output, tokens);
      from = to;
    }
  };
}

/** Tokens for the bytes 0 to 255, written `<0xNN>` or else the byte itself; -1 where there is none. */
export function findByteTokens(pieces: Pieces): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    const named = pieces.findText(nameOfByte(byte));
    return named >= 0 ? named : pieces.find(Uint8Array.of(byte), 0, 1);
  });
}

/** Stands a byte token for each byte of a character. */
export function byteFallback(byteTokens: Int32Array): PlainPairOptions["unknown"] {
  return (bytes, output) => {
    for (const byte of bytes) {
      const token = byteTokens[byte] ?? -1;
      if (token >= 0) output.push(token);
    }
  };
}
