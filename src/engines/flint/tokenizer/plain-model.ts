import type { Merges } from "./merges.ts";
import type { TextModel } from "./model.ts";
import type { Pieces } from "./pieces.ts";
import { byteFallback, createPlainPairs, findByteTokens } from "./plain-pairs.ts";
import type { Splitter } from "./split.ts";
import { blank, stickyCharacters } from "./words.ts";

export interface PlainModelOptions {
  readonly pieces: Pieces;
  readonly merges: Merges;
  readonly split: Splitter;
  /** Runs of newlines that are a token as a whole are not merged. */
  readonly wholeNewlines: boolean;
}

/** Byte-pair encoding with a list of merges over characters, with U+2581 for the space, as Gemma 4 has it. */
export function createPlainModel({ pieces, merges, split, wholeNewlines }: PlainModelOptions): TextModel {
  const pairs = createPlainPairs({
    pieces,
    joins: () => merges,
    sticky: stickyCharacters(mergedTexts(pieces, merges)),
    unknown: byteFallback(findByteTokens(pieces)),
  });
  return (text, _before, output) => {
    const escaped = text.replaceAll(" ", blank);
    let from = 0;
    for (const to of split(escaped)) {
      const piece = escaped.slice(from, to);
      const token = wholeNewlines && piece.startsWith("\n") ? findNewlines(pieces, piece) : -1;
      if (token >= 0) output.push(token);
      else pairs(piece, output);
      from = to;
    }
  };
}

function findNewlines(pieces: Pieces, text: string): number {
  return text.length <= pieces.longest && /^\n+$/.test(text) ? pieces.findText(text) : -1;
}

/** Texts that merges make and that have U+2581 behind their first character. */
export function* mergedTexts(pieces: Pieces, merges: Merges): Iterable<string> {
  const { bytes, starts } = pieces;
  for (let merge = 0; merge < merges.size; merge++) {
    const right = starts[merges.rights[merge] ?? 0] ?? 0;
    // Such a text comes first from a merge whose right side begins with it.
    if (bytes[right] === 0xe2 && bytes[right + 1] === 0x96 && bytes[right + 2] === 0x81)
      yield pieces.text(merges.tokens[merge] ?? 0);
  }
}
