/**
 * Guesses from the text itself: where its last tokens have stood before, what followed then may follow now (prompt lookup
 * decoding; with the longest match, as suffix decoding does: arXiv 2411.04975).
 */

export interface Guess {
  readonly tokens: readonly number[];
  /** How many tokens before the guess are the same as they were then. */
  readonly matched: number;
}

/** Tokens that have to be the same. */
const leastMatch = 3;
/** Places that are looked at, the latest first, and tokens that are compared at each. */
const mostPlaces = 16;
const mostMatched = 32;

export class Lookup {
  readonly #tokens: number[] = [];
  /** The latest place where three tokens end, and for each place the one before with the same three. */
  readonly #latest = new Map<string, number>();
  readonly #before: (number | undefined)[] = [];

  constructor(tokens: Iterable<number> = []) {
    for (const token of tokens) this.push(token);
  }

  push(token: number): void {
    const at = this.#tokens.push(token) - 1;
    const key = this.#keyAt(at);
    this.#before[at] = key === undefined ? undefined : this.#latest.get(key);
    if (key !== undefined) this.#latest.set(key, at);
  }

  /** At most so many tokens that may follow. */
  guess(most: number): Guess | undefined {
    const end = this.#tokens.length - 1;
    let best: { at: number; matched: number } | undefined;
    let place = this.#before[end];
    for (let tries = 0; place !== undefined && tries < mostPlaces; tries++, place = this.#before[place]) {
      const matched = this.#matched(place, end);
      if (matched > (best?.matched ?? leastMatch - 1)) best = { at: place, matched };
    }
    if (!best) return undefined;
    // What follows may be the end itself: a text that goes round goes on so.
    const tokens: number[] = [];
    for (let index = best.at + 1; tokens.length < most; index++) {
      tokens.push(this.#tokens[index] ?? tokens[index - this.#tokens.length] ?? 0);
    }
    return { tokens, matched: best.matched };
  }

  #matched(place: number, end: number): number {
    let length = 0;
    while (length < mostMatched && length <= place && this.#tokens[place - length] === this.#tokens[end - length])
      length++;
    return length;
  }

  #keyAt(at: number): string | undefined {
    return at < leastMatch - 1 ? undefined : this.#tokens.slice(at - leastMatch + 1, at + 1).join();
  }
}
