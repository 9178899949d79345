import { characterOfByte, writeByteCharacters } from "./byte-level.ts";
import { Run, mergeRun } from "./merge.ts";
import type { Merges } from "./merges.ts";
import { pushAll } from "./model.ts";
import type { TextModel } from "./model.ts";
import type { Pieces } from "./pieces.ts";
import type { Splitter } from "./split.ts";
import { Scratch } from "./utf8.ts";
import { WordCache } from "./words.ts";

export interface BytePieceOptions {
  readonly pieces: Pieces;
  readonly merges: Merges;
  /** A piece that is a token as a whole is not merged. */
  readonly ignoreMerges: boolean;
}

/**
 * Byte-pair encoding over bytes (R. Sennrich et al. 2016; A. Radford et al. 2019) of one piece of a text: the pair of
 * neighbours that comes first in the list of merges is joined, until none is left. Bytes that are no token say
 * nothing.
 */
export function createBytePieces({
  pieces,
  merges,
  ignoreMerges,
}: BytePieceOptions): (piece: string, output: number[]) => void {
  const cache = new WordCache();
  const scratch = new Scratch();
  const run = new Run();
  const byteTokens = Int32Array.from(characterOfByte, (code) => pieces.findText(String.fromCodePoint(code)));
  const findWhole = createWholeFinder(pieces);
  const encode = (piece: string): Int32Array => {
    const length = scratch.write(piece);
    const token = ignoreMerges ? findWhole(scratch.bytes, length) : -1;
    if (token >= 0) return Int32Array.of(token);
    run.clear(0);
    for (let index = 0; index < length; index++) run.push(byteTokens[scratch.bytes[index] ?? 0] ?? -1, index + 1);
    mergeRun(run, merges);
    const tokens = run.ids.slice(0, run.count);
    run.release();
    scratch.release();
    return tokens.includes(-1) ? tokens.filter((id) => id >= 0) : tokens;
  };
  return (piece, output) => {
    let tokens = cache.get(piece);
    if (!tokens) cache.set(piece, (tokens = encode(piece)));
    pushAll(output, tokens);
  };
}

/** Finds the token whose text, in byte characters, stands for the first `length` bytes; -1 for none. */
function createWholeFinder(pieces: Pieces): (bytes: Uint8Array, length: number) => number {
  const name = new Uint8Array(pieces.longest * 2);
  return (bytes, length) => {
    if (length > pieces.longest) return -1;
    let end = 0;
    for (let index = 0; index < length; index++) end = writeByteCharacters(name, end, bytes[index] ?? 0);
    return pieces.find(name, 0, end);
  };
}

/** Cuts a text into pieces and encodes each. */
export function createByteLevelModel(options: BytePieceOptions, split: Splitter): TextModel {
  const encodePiece = createBytePieces(options);
  return (text, _before, output) => {
    let from = 0;
    for (const to of split(text)) {
      encodePiece(text.slice(from, to), output);
      from = to;
    }
  };
}
