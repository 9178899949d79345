/** Where the tokens of a text stand in it: tokenizers give no places, so they are looked up one after the other. */

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `pieces`: text of each token, without marks of its kind. A piece that is not found has no place. */
export function alignPieces(text: string, pieces: readonly string[], lowercase: boolean): (Span | undefined)[] {
  const plain = simplify(text, lowercase);
  let cursor = 0;
  return pieces.map((piece) => {
    const wanted = simplify(piece, lowercase).letters;
    if (wanted.length === 0) return undefined;
    const found = plain.letters.indexOf(wanted, cursor);
    // A token that stands for unknown letters is nowhere; one far off was found by chance.
    if (found < 0 || found - cursor > 64) return undefined;
    cursor = found + wanted.length;
    return { start: plain.starts[found] ?? 0, end: plain.ends[cursor - 1] ?? text.length };
  });
}

/** Letters without spaces, and accents and capitals where the tokenizer drops them, with where each came from. */
function simplify(text: string, lowercase: boolean): { letters: string; starts: number[]; ends: number[] } {
  let letters = "";
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const letter of text) {
    const plain = lowercase ? letter.normalize("NFD").replaceAll(/\p{M}/gu, "").toLowerCase() : letter;
    for (const unit of plain.replaceAll(/\s/gu, "").split("")) {
      letters += unit;
      starts.push(at);
      ends.push(at + letter.length);
    }
    at += letter.length;
  }
  return { letters, starts, ends };
}
