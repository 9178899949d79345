/** Prompts of one model as tokens. */
import { HearthError } from "../../../error.ts";
import type { GenerateRequest, PromptPart, PromptText } from "../../../spec/engine.ts";
import { createJsonTokenizer } from "../../flint/tokenizer/json.ts";
import type { Tokenizer } from "../../flint/tokenizer/contract.ts";
import { checkTokens, cutSpecials, promptTokens, specialPattern } from "../../host/prompt.ts";
import type { Vocabulary } from "../../host/prompt.ts";
import type { ImageInput } from "../../../spec/media.ts";
import type { OnnxContext } from "../context.ts";
import type { EncodePicture } from "./pictures.ts";
import type { PlacedRows, Prompt } from "./prompt.ts";

type Part = PromptPart | { readonly image: ImageInput };

export interface ModelText {
  readonly tokenizer: Tokenizer;
  /** Throws `unsupported_capability` for pictures where there is no encoder. */
  prompt(parts: readonly Part[] | readonly number[], encode: EncodePicture | undefined): Promise<Prompt>;
  /** Tokens that a prompt of text would begin with. */
  tokenize(parts: readonly PromptPart[]): number[];
  detokenize(tokens: readonly number[]): string;
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
    tokenize: (parts) => promptTokens(parts, vocabulary, special),
    detokenize(tokens) {
      const checked = checkTokens(tokens, tokenizer.size);
      // The token that begins a text is no part of what it says.
      return tokenizer.decode(checked[0] === tokenizer.bos ? checked.slice(1) : checked);
    },
    async prompt(parts, encode) {
      if (!hasPictures(parts)) {
        const tokens = promptTokens(parts as GenerateRequest["prompt"], vocabulary, special);
        return { tokens, names: tokens, rows: [] };
      }
      if (!encode) {
        throw new HearthError("unsupported_capability", `Model "${context.name}" sees no pictures.`, {
          hint: "Send text alone, or take a model with the capability vision.",
          details: { field: "prompt" },
        });
      }
      return await joinPictures(parts, { encode, text, bos });
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

function hasPictures(parts: readonly Part[] | readonly number[]): parts is readonly Part[] {
  return (parts as readonly (Part | number)[]).some((part) => typeof part === "object" && "image" in part);
}

interface Join {
  readonly encode: EncodePicture;
  readonly text: TokenizeParts;
  readonly bos: number | undefined;
}

/** Rows of a picture are counted below this. */
const mostRows = 2 ** 20;

/** Text on both sides of rows is cut into tokens by itself: nothing of it joins across a picture. */
async function joinPictures(parts: readonly Part[], { encode, text, bos }: Join): Promise<Prompt> {
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
  }
  close();
  return { tokens, names, rows };
}
