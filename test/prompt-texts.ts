import type { PromptPart, PromptText } from "../src/spec/engine.ts";

/** The parts of a prompt as texts; a picture is `(picture)`. */
export function textsOf(parts: readonly PromptPart[]): readonly PromptText[] {
  return parts.map((part) => ("image" in part ? { text: "(picture)", special: true } : part));
}

/** All of a prompt as one text. */
export function promptText(parts: readonly PromptPart[]): string {
  return textsOf(parts)
    .map(({ text }) => text)
    .join("");
}
