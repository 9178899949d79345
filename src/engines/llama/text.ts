import type { LlamaModel, Token } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { GenerateRequest } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import type { Vocabulary } from "../host/prompt.ts";
import { checkTokens, cutSpecials, promptTokens, specialPattern } from "../host/prompt.ts";

/** Text to tokens and back, for one loaded model. */
export interface ModelText {
  readonly vocabularySize: number;
  /** Tokens that a generation would begin with; always at least one. */
  promptTokens(prompt: GenerateRequest["prompt"]): Token[];
  /** Tokens of text alone: nothing put before it, no control token in it. */
  plainTokens(text: string): Token[];
  detokenize(tokens: readonly number[]): string;
}

export function createModelText(model: LlamaModel, info: ModelInfo): ModelText {
  const words: unknown = model.fileInfo.metadata?.tokenizer?.ggml?.tokens;
  const { bos } = model.tokens;
  const vocabulary: Vocabulary = {
    size: Array.isArray(words) ? words.length : info.vocabularySize,
    bos: model.tokens.shouldPrependBosToken && bos !== null ? bos : undefined,
    tokenize: (text, start) => (start ? model.tokenize(text, true) : continueText(model, text, true)),
  };
  const special = specialPattern(info.specialTokens);
  return {
    vocabularySize: vocabulary.size,
    promptTokens: (prompt) => promptTokens(prompt, vocabulary, special) as Token[],
    plainTokens: (text) =>
      cutSpecials([{ text, special: false }], special).flatMap((piece, index) =>
        index === 0 ? model.tokenize(piece, false) : continueText(model, piece, false),
      ),
    detokenize(tokens) {
      const checked = checkTokens(tokens, vocabulary.size) as Token[];
      // The token that begins a text is no part of what it says.
      return model.detokenize(checked[0] === bos ? checked.slice(1) : checked, true);
    },
  };
}

/** Tokens of text that goes on: some vocabularies put a space before every text, so it is given something to go on from. */
function continueText(model: LlamaModel, text: string, special: boolean): readonly Token[] {
  const before = model.tokenize("\n", special);
  const tokens = model.tokenize(`\n${text}`, special);
  const apart = before.every((token, index) => token === tokens[index]);
  return apart ? tokens.slice(before.length) : model.tokenize(text, special);
}

export function tooLong(promptTokens: number, contextTokens: number, index?: number): HearthError {
  const what = index === undefined ? "The prompt" : `Text ${index + 1}`;
  return new HearthError(
    "context_too_long",
    `${what} has ${promptTokens} tokens; the context holds ${contextTokens}.`,
    {
      details: { promptTokens, contextTokens, ...(index !== undefined && { index }) },
    },
  );
}

/** What llama.cpp or node-llama-cpp threw while it worked, with its own words. */
export function asEngineError(error: unknown, model: string): HearthError {
  if (error instanceof HearthError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new HearthError("engine_failed", `The llama engine failed on model "${model}": ${message}`, { cause: error });
}

/** Work on a model, with its name in what goes wrong. */
export async function named<T>(work: Promise<T>, model: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asEngineError(error, model);
  }
}
