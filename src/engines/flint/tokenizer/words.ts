/** Remembers the tokens of words, so that frequent ones are looked up instead of merged again. */
export class WordCache {
  private words = new Map<string, Int32Array>();
  private older = new Map<string, Int32Array>();

  /** undefined: not known. */
  get(word: string): Int32Array | undefined {
    const known = this.words.get(word);
    if (known) return known;
    const found = this.older.get(word);
    if (found) this.words.set(word, found);
    return found;
  }

  /** Long words are not worth their memory. */
  set(word: string, tokens: Int32Array): void {
    if (word.length > 40) return;
    if (this.words.size >= 16_384) {
      this.older = this.words;
      this.words = new Map();
    }
    this.words.set(word, tokens);
  }
}

/** What stands for the space in vocabularies that write it. */
export const blank = "\u2581";

/**
 * Ends of the pieces of a text that no token crosses: before each run of U+2581, unless some token has one behind the
 * character that stands there (`sticky`).
 */
export function blankEnds(text: string, sticky: ReadonlySet<string>): number[] {
  const ends: number[] = [];
  for (let at = text.indexOf(blank, 1); at >= 0; at = text.indexOf(blank, at + 1)) {
    const before = text[at - 1] ?? "";
    if (before !== blank && !sticky.has(before)) ends.push(at);
  }
  if (text.length > 0) ends.push(text.length);
  return ends;
}

/** Last UTF-16 units of the characters that stand in front of U+2581 inside some text. */
export function stickyCharacters(texts: Iterable<string>): Set<string> {
  const sticky = new Set<string>();
  for (const text of texts) {
    for (let at = text.indexOf(blank, 1); at >= 0; at = text.indexOf(blank, at + 1)) {
      if (text[at - 1] !== blank) sticky.add(text[at - 1] ?? "");
    }
  }
  return sticky;
}
