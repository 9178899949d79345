/** Text to tokens and back, for one loaded model. */
import { HearthError } from "../../error.ts";
import type { GenerateRequest, PromptText } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import { checkTokens, cutSpecials, promptTokens, specialPattern } from "../host/prompt.ts";
import type { Tokenizer } from "./tokenizer/contract.ts";

export interface ModelText {
  readonly tokenizer: Tokenizer;
  /** Tokens that a generation would begin with; always at least one. */
  promptTokens(prompt: GenerateRequest["prompt"]): number[];
  /** Tokens of a piece of a prompt; `start`: it is the first. */
  partTokens(parts: readonly PromptText[], start: boolean): number[];
  /** Tokens of text alone: nothing put before it, no control token in it. */
  plainTokens(text: string): number[];
  detokenize(tokens: readonly number[]): string;
}

export function createModelText(tokenizer: Tokenizer, info: Pick<ModelInfo, "specialTokens">): ModelText {
  const { bos, addBos, size } = tokenizer;
  const special = specialPattern(info.specialTokens);
  const vocabulary = {
    size,
    bos: addBos ? bos : undefined,
    tokenize: (text: string, start: boolean) => tokenizer.encode(text, { special: true, start }),
  };
  return {
    tokenizer,
    promptTokens: (prompt) => promptTokens(prompt, vocabulary, special),
    partTokens: (parts, start) =>
      cutSpecials(parts, special).flatMap((piece, index) => vocabulary.tokenize(piece, start && index === 0)),
    plainTokens: (text) =>
      cutSpecials([{ text, special: false }], special).flatMap((piece, index) =>
        tokenizer.encode(piece, { special: false, start: index === 0 }),
      ),
    detokenize(tokens) {
      const checked = checkTokens(tokens, size);
      // The token that begins a text is no part of what it says.
      return tokenizer.decode(checked[0] === bos ? checked.slice(1) : checked);
    },
  };
}

export function tooLong(tokens: number, contextTokens: number, index?: number): HearthError {
  const what = index === undefined ? "The prompt" : `Text ${index + 1}`;
  return new HearthError("context_too_long", `${what} has ${tokens} tokens; the context holds ${contextTokens}.`, {
    details: { promptTokens: tokens, contextTokens, ...(index !== undefined && { index }) },
  });
}
