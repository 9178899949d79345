import { characterOfByte, writeByteCharacters } from "./byte-level.ts";
import { Run, mergeRun } from "./merge.ts";
import type { Merges } from "./merges.ts";
import { pushAll } from "./model.ts";
import type { TextModel } from "./model.ts";
import type { Pieces } from "./pieces.ts";
import type { Splitter } from "./split.ts";
import { Scratch } from "./utf8.ts";
import { WordCache } from "./words.ts";

export interface BytePairOptions {
  readonly pieces: Pieces;
  readonly merges: Merges;
  readonly split: Splitter;
  /** A piece that is a token as a whole is not merged. */
  readonly ignoreMerges: boolean;
}

/**
 * Byte-pair encoding over bytes (R. Sennrich et al. 2016; A. Radford et al. 2019): the text is cut into pieces, and
 * in each the pair of neighbours that comes first in the list of merges is joined, until none is left. Bytes that are
 * no token say nothing.
 */
export function createByteLevelModel({ pieces, merges, split, ignoreMerges }: BytePairOptions): TextModel {
  const cache = new WordCache();
  const scratch = new Scratch();
  const run = new Run();
  let name = new Uint8Array(256);
  const byteTokens = Int32Array.from(characterOfByte, (code) => pieces.findText(String.fromCodePoint(code)));

  const whole = (length: number): number => {
    if (length * 2 > name.length) name = new Uint8Array(length * 4);
    let end = 0;
    for (let index = 0; index < length; index++) end = writeByteCharacters(name, end, scratch.bytes[index] ?? 0);
    return end > pieces.longest ? -1 : pieces.find(name, 0, end);
  };
  const encodePiece = (piece: string): Int32Array => {
    const length = scratch.write(piece);
    const token = ignoreMerges && length <= pieces.longest ? whole(length) : -1;
    if (token >= 0) return Int32Array.of(token);
    run.clear(0);
    for (let index = 0; index < length; index++) run.push(byteTokens[scratch.bytes[index] ?? 0] ?? -1, index + 1);
    mergeRun(run, merges);
    const tokens = run.ids.slice(0, run.count);
    run.release();
    scratch.release();
    return tokens.includes(-1) ? tokens.filter((id) => id >= 0) : tokens;
  };
  return {
    encode(text, _start, output) {
      let from = 0;
      for (const to of split(text)) {
        const piece = text.slice(from, to);
        let tokens = cache.get(piece);
        if (!tokens) cache.set(piece, (tokens = encodePiece(piece)));
        pushAll(output, tokens);
        from = to;
      }
    },
  };
}
