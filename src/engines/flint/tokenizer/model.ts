/** What stands before a text: nothing, a special token, or text that it goes on from. */
export type Before = "nothing" | "token" | "text";

/**
 * Appends the tokens of a text without special tokens and lone surrogates: one function for each of byte pairs,
 * SentencePiece, unigram and WordPiece.
 */
export type TextModel = (text: string, before: Before, output: number[]) => void;

export function pushAll(output: number[], tokens: ArrayLike<number>): void {
  for (let index = 0; index < tokens.length; index++) output.push(tokens[index] ?? 0);
}

/** A text cut at the special tokens that it spells: texts and ids. */
export type Fragments = readonly (string | number)[];

export interface FragmentOptions {
  readonly before: Before;
  readonly output: number[];
  readonly encode: TextModel;
}

/** Appends the tokens of all fragments. */
export function encodeFragments(fragments: Fragments, { before, output, encode }: FragmentOptions): void {
  let last = before;
  for (const fragment of fragments) {
    if (typeof fragment === "number") output.push(fragment);
    else encode(fragment, last, output);
    last = typeof fragment === "number" ? "token" : "text";
  }
}
