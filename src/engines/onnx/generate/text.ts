/** Prompts of one model as tokens. */
import { HearthError } from "../../../error.ts";
import type { GenerateRequest, PromptPart, PromptText } from "../../../spec/engine.ts";
import type { ImageInput } from "../../../spec/media.ts";
import { createJsonTokenizer } from "../../flint/tokenizer/json.ts";
import type { Tokenizer } from "../../flint/tokenizer/contract.ts";
import { checkTokens, cutSpecials, hasPictures, promptTokens, specialPattern } from "../../host/prompt.ts";
import type { Vocabulary } from "../../host/prompt.ts";
import type { OnnxContext } from "../context.ts";
import type { EncodedPicture, PlacedRows, Prompt } from "./prompt.ts";
import { tooLong } from "./prompt.ts";

export interface PromptOptions {
  /** Absent: the model sees no pictures. */
  readonly encode: ((image: ImageInput) => Promise<EncodedPicture>) | undefined;
  /** Tokens: a prompt that has more is refused before its other pictures are encoded. */
  readonly most: number;
}

export interface ModelText {
  readonly tokenizer: Tokenizer;
  /** Throws `unsupported_capability` for pictures where there is no encoder. */
  readonly prompt: (prompt: GenerateRequest["prompt"], options: PromptOptions) => Promise<Prompt>;
  readonly detokenize: (tokens: readonly number[]) => string;
}

export function openText(context: OnnxContext): ModelText {
  const file = context.config("tokenizer.json");
  if (!file) throw new HearthError("model_unsupported", `"${context.name}" has no tokenizer.json.`);
  const own = createJsonTokenizer(file, context.config("tokenizer_config.json"));
  const tokenizer = { ...own, endTokens: new Set([...own.endTokens, ...endIds(context)]) };
  const special = specialPattern(context.info.specialTokens);
  const tokenize = (text: string, start: boolean): number[] => tokenizer.encode(text, { special: true, start });
  const bos = tokenizer.addBos ? tokenizer.bos : undefined;
  const text: TokenizeParts = (parts, start) =>
    cutSpecials(parts, special).flatMap((piece, index) => tokenize(piece, start && index === 0));
  const vocabulary: Vocabulary = { size: tokenizer.size, bos, tokenize };
  return {
    tokenizer,
    detokenize(tokens) {
      const checked = checkTokens(tokens, tokenizer.size);
      // The token that begins a text is no part of what it says.
      return tokenizer.decode(checked[0] === tokenizer.bos ? checked.slice(1) : checked);
    },
    async prompt(prompt, { encode, most }) {
      if (encode && hasPictures(prompt)) return await joinPictures(prompt, { encode, text, bos, most });
      const tokens = promptTokens(prompt, vocabulary, special);
      return { tokens, names: tokens, rows: [] };
    },
  };
}

type TokenizeParts = (parts: readonly PromptText[], start: boolean) => number[];

/** Ids that end an answer, where the model's makers name them beside its weights. */
function endIds(context: OnnxContext): number[] {
  return ["generation_config.json", "config.json"].flatMap((name) => {
    const value = context.config(name)?.["eos_token_id"];
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    return list.filter((id): id is number => typeof id === "number" && Number.isInteger(id));
  });
}

interface Join {
  readonly encode: NonNullable<PromptOptions["encode"]>;
  readonly most: number;
  readonly text: TokenizeParts;
  readonly bos: number | undefined;
}

/** Rows of a picture are counted below this. */
const mostRows = 2 ** 20;

/** Text on both sides of rows is cut into tokens by itself: nothing of it joins across a picture. */
async function joinPictures(parts: readonly PromptPart[], { encode, text, bos, most }: Join): Promise<Prompt> {
  const tokens: number[] = bos === undefined ? [] : [bos];
  const names = [...tokens];
  const rows: PlacedRows[] = [];
  let open: PromptText[] = [];
  let isStart = true;
  const close = (): void => {
    const found = text(open, isStart);
    // The template may write the token that begins a text itself.
    const own = isStart && found[0] === bos ? found.slice(1) : found;
    tokens.push(...own);
    names.push(...own);
    if (open.length > 0) isStart = false;
    open = [];
  };
  for (const part of parts) {
    if (!("image" in part)) {
      open.push(part);
      continue;
    }
    const { pieces, serial, features, grid } = await encode(part.image);
    let first = 0;
    for (const piece of pieces) {
      if ("text" in piece) {
        open.push({ text: piece.text, special: true });
        continue;
      }
      close();
      rows.push({ at: tokens.length, count: piece.rows, first, features, ...(grid && { grid }) });
      for (let row = first; row < first + piece.rows; row++) {
        tokens.push(0);
        names.push(-(serial * mostRows + row));
      }
      first += piece.rows;
    }
    if (tokens.length > most) throw tooLong(tokens.length, most);
  }
  close();
  return { tokens, names, rows };
}
