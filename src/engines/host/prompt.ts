import { HearthError } from "../../error.ts";
import type { GenerateRequest, PromptPart, PromptText } from "../../spec/engine.ts";

/** What the tokenizer of a loaded model can do. */
export interface Vocabulary {
  readonly size: number;
  /** Put before every prompt, if the model wants that. */
  readonly bos: number | undefined;
  /** `start` is false for text that continues other text: then no space is put before it. */
  tokenize(text: string, start: boolean): readonly number[];
}

/** Finds the text of every control and user-defined token. Tokens of white space alone steer nothing and stay whole. */
export function specialPattern(specialTokens: readonly string[]): RegExp | undefined {
  const words = [...new Set(specialTokens)].filter((word) => /[^\s▁]/u.test(word)).sort((a, b) => b.length - a.length);
  if (words.length === 0) return undefined;
  return new RegExp(words.map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "gu");
}

/**
 * Tokens of a prompt, with the token that begins a text put first where the model wants it and the prompt lacks it.
 * The parts are tokenized as one text, as the model learned them, except that any control token which plain text
 * spells, alone or together with its neighbours, is cut in two first: no user can write one. Throws
 * `unsupported_capability` for pictures: who can read them takes them out before.
 */
export function promptTokens(
  prompt: GenerateRequest["prompt"],
  vocabulary: Vocabulary,
  special: RegExp | undefined,
): number[] {
  if (isTokens(prompt)) return checkTokens(prompt, vocabulary.size);
  const segments = cutSpecials(onlyTexts(prompt), special);
  const tokens = segments.flatMap((text, index) => [...vocabulary.tokenize(text, index === 0)]);
  if (vocabulary.bos !== undefined && tokens[0] !== vocabulary.bos) tokens.unshift(vocabulary.bos);
  if (tokens.length === 0)
    throw new HearthError("bad_request", "The prompt is empty.", { details: { field: "prompt" } });
  return tokens;
}

export function hasPictures(prompt: GenerateRequest["prompt"]): prompt is readonly PromptPart[] {
  return (prompt as readonly (PromptPart | number)[]).some((part) => typeof part === "object" && "image" in part);
}

/** Throws `unsupported_capability` for a picture. */
export function onlyTexts(parts: readonly PromptPart[]): readonly PromptText[] {
  return parts.map((part) => {
    if ("text" in part) return part;
    throw new HearthError("unsupported_capability", "The engine that runs this model sees no pictures.", {
      hint: "Send text alone, or take a model whose capabilities include vision.",
      details: { field: "prompt", capability: "vision" },
    });
  });
}

/** The text of the parts in pieces that hold a control token only where a special part spells it. */
export function cutSpecials(parts: readonly PromptText[], special: RegExp | undefined): string[] {
  const text = parts.map((part) => part.text).join("");
  if (text === "") return [];
  if (!special) return [text];
  const plain = plainRanges(parts);
  const cuts: number[] = [];
  special.lastIndex = 0;
  for (let match = special.exec(text); match; match = special.exec(text)) {
    const { index } = match;
    const end = index + match[0].length;
    const inside = plain.find((range) => range.start < end && range.end > index);
    if (!inside) continue;
    const first = match.index + String.fromCodePoint(match[0].codePointAt(0) ?? 0).length;
    cuts.push(inside.start > match.index ? inside.start : first);
    special.lastIndex = first;
  }
  const ends = [...new Set([...cuts, text.length])].sort((a, b) => a - b);
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end)).filter((piece) => piece !== "");
}

function plainRanges(parts: readonly PromptText[]): { readonly start: number; readonly end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  let at = 0;
  for (const part of parts) {
    if (!part.special && part.text !== "") ranges.push({ start: at, end: at + part.text.length });
    at += part.text.length;
  }
  return ranges;
}

/** Native code trusts token ids, so we do not. */
export function checkTokens(tokens: readonly number[], size: number): number[] {
  const wrong = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= size);
  if (wrong !== undefined) {
    throw new HearthError("bad_request", `Token ${wrong} is not in the model's vocabulary of ${size}.`, {
      details: { field: "prompt", token: wrong, vocabularySize: size },
    });
  }
  if (tokens.length === 0)
    throw new HearthError("bad_request", "The prompt is empty.", { details: { field: "prompt" } });
  return [...tokens];
}

function isTokens(prompt: GenerateRequest["prompt"]): prompt is readonly number[] {
  return typeof prompt[0] === "number";
}
