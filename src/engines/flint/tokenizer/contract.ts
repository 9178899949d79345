/** What the engine asks of a vocabulary, whatever file it came from. */

export interface EncodeOptions {
  /** Control tokens that the text spells become tokens. User-defined tokens always do. */
  readonly special: boolean;
  /** The text begins here; otherwise it continues other text. Only vocabularies that put a space before a text care. */
  readonly start?: boolean;
}

export interface Tokenizer {
  /** Tokens of the vocabulary; ids are 0 to `size - 1`. */
  readonly size: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly sep: number | undefined;
  readonly cls: number | undefined;
  readonly pad: number | undefined;
  readonly unk: number | undefined;
  readonly mask: number | undefined;
  /** Whether the model wants `bos` before every text, `eos` after it, `sep` after it (WordPiece). */
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly addSep: boolean;
  /** Tokens that end an answer: of the metadata, and of well-known names such as `<|im_end|>`. */
  readonly endTokens: ReadonlySet<number>;
  /**
   * Tokens of the text alone, without `bos` and `eos`. Lone surrogates, and bytes that are no UTF-8, count as U+FFFD.
   * The time grows with the length of the text, never with its square.
   */
  encode(text: string | Uint8Array, options: EncodeOptions): number[];
  /** The text of one token in UTF-8, which may be a part of a character. Of control tokens: their name. */
  tokenBytes(id: number): Uint8Array;
  /** Control and unknown tokens: they are not part of what a text says. */
  isControl(id: number): boolean;
  /** The text of tokens. The space that some vocabularies put before a text is taken away again. */
  decode(ids: readonly number[]): string;
}
