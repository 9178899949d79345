/** Turns text without special tokens into tokens: one of byte pairs, SentencePiece, unigram and WordPiece. */
export interface TextModel {
  /** Appends the tokens of a text without lone surrogates. `start`: nothing stands before it, or a special token. */
  encode(text: string, start: boolean, output: number[]): void;
}

export function pushAll(output: number[], tokens: ArrayLike<number>): void {
  for (let index = 0; index < tokens.length; index++) output.push(tokens[index] ?? 0);
}
