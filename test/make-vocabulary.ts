// Small vocabularies for the models that tests write. Any text can be tokenized with them.

/** What a token is for: text that models say, the beginning of a word, the end of a turn, or nothing for an answer. */
export type TokenKind = "text" | "beginning" | "end" | "other";

export interface Vocabulary {
  readonly tokens: readonly string[];
  readonly scores: readonly number[];
  /** `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 6 byte. */
  readonly types: readonly number[];
  readonly kinds: readonly TokenKind[];
}

const words = (
  "the of and to in is you that it was for on are as with his they at be this have from one had by word but not what " +
  "all were we when your can said there use an each which she do how their if will up other about out many then them " +
  "these so some her would make like him into time has look two more write go see number no way could people my than " +
  "first water been call who oil its now find long down day did get come made may part over new sound take only " +
  "little work know place year live me back give most very after thing our just name good man think say great where " +
  "help through much before line right too mean old any same tell boy follow came want show also around form three " +
  "small set put end does another well large must big even such because turn here why ask went men read need land " +
  "hello world user assistant system capital France Paris answer question true false null"
).split(" ");

/** Printable ASCII without the space, which SentencePiece and WordPiece write as U+2581. */
const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));

interface Row {
  readonly token: string;
  readonly score: number;
  readonly type: number;
  readonly kind: TokenKind;
}

/** A `llama` (SentencePiece) vocabulary: `<unk> <s> </s>`, 256 bytes, ChatML control tokens, ASCII, words. */
export function llamaVocabulary(size = 0): Vocabulary {
  const rows: Row[] = [
    { token: "<unk>", score: 0, type: 2, kind: "other" },
    { token: "<s>", score: 0, type: 3, kind: "other" },
    { token: "</s>", score: 0, type: 3, kind: "end" },
  ];
  for (let byte = 0; byte < 256; byte++) {
    const token = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    rows.push({ token, score: 0, type: 6, kind: "other" });
  }
  rows.push({ token: "<|im_start|>", score: 0, type: 3, kind: "other" });
  rows.push({ token: "<|im_end|>", score: 0, type: 3, kind: "end" });
  const pieces = ["▁", ...printable, ...wordPieces()];
  const whole = new Set(["▁", ...printable, ...words.map((word) => `▁${word}`)]);
  for (const piece of new Set(pieces)) {
    rows.push({ token: piece, score: -rows.length, type: 1, kind: whole.has(piece) ? "text" : "beginning" });
  }
  return pad(rows, size);
}

/** A `bert` (WordPiece) vocabulary as GGUF has it: U+2581 starts a word, pieces inside words are plain. */
export function bertVocabulary(size = 0): Vocabulary {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const rows: Row[] = special.map((token, index) => ({
    token,
    score: 0,
    type: index === 1 ? 2 : 3,
    kind: "other" as const,
  }));
  const lower = [...new Set(words.map((word) => word.toLowerCase()))];
  const pieces = [...printable, ...printable.map((character) => `▁${character}`), ...lower.map((word) => `▁${word}`)];
  for (const piece of new Set(pieces)) rows.push({ token: piece, score: 0, type: 1, kind: "text" });
  return pad(rows, size);
}

/** SentencePiece merges two neighbours at a time, so a word needs all its beginnings as tokens too. */
function wordPieces(): string[] {
  return words.flatMap((word) => Array.from({ length: word.length }, (_, index) => `▁${word.slice(0, index + 1)}`));
}

function pad(rows: Row[], size: number): Vocabulary {
  while (rows.length < size) rows.push({ token: `▁word${rows.length}`, score: -rows.length, type: 1, kind: "text" });
  return {
    tokens: rows.map((row) => row.token),
    scores: rows.map((row) => row.score),
    types: rows.map((row) => row.type),
    kinds: rows.map((row) => row.kind),
  };
}
