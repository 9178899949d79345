/** A prompt with pictures as the names of its places: tokens, and rows of pictures. */
import type { GenerateRequest, PromptPart, PromptText } from "../../../spec/engine.ts";
import { hasPictures } from "../../host/prompt.ts";
import type { ModelText } from "../text.ts";
import { tooLong } from "../text.ts";
import type { PictureEncoder } from "./encoder.ts";
import type { PlacedPicture } from "./names.ts";
import { nameOf } from "./names.ts";

export interface NamedPrompt {
  readonly names: readonly number[];
  readonly pictures: readonly PlacedPicture[];
}

export interface PromptContext {
  readonly text: ModelText;
  /** Absent: the model sees no pictures. */
  readonly encoder: PictureEncoder | undefined;
}

export interface PromptOptions {
  readonly tenant?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A prompt that is longer is refused before its other pictures are encoded. */
  readonly most?: number;
}

/** Throws `unsupported_capability` for pictures that the model cannot see, and what encoding them throws. */
export function readPrompt(
  prompt: GenerateRequest["prompt"],
  { text, encoder }: PromptContext,
  options: PromptOptions,
): NamedPrompt | Promise<NamedPrompt> {
  if (!hasPictures(prompt) || !encoder) return { names: text.promptTokens(prompt), pictures: [] };
  return joinPictures(prompt, { text, encoder }, options);
}

async function joinPictures(
  prompt: readonly PromptPart[],
  { text, encoder }: PromptContext & { readonly encoder: PictureEncoder },
  { tenant, signal, most = Infinity }: PromptOptions,
): Promise<NamedPrompt> {
  const names: number[] = [];
  const pictures = new Map<number, PlacedPicture>();
  let open: PromptText[] = [];
  // Text on both sides of rows is cut into tokens by itself: nothing of it joins across a picture.
  const close = (): void => {
    names.push(...text.partTokens(open, names.length === 0));
    open = [];
  };
  for (const part of prompt) {
    if ("text" in part) {
      open.push(part);
      continue;
    }
    const { pieces, ...picture } = await encoder.encode(part.image, tenant, signal);
    pictures.set(picture.serial, picture);
    for (const piece of pieces) {
      if ("text" in piece) open.push({ text: piece.text, special: true });
      else {
        close();
        for (let row = 0; row < piece.count; row++) names.push(nameOf(picture.serial, piece.first + row));
      }
    }
    if (names.length >= most) throw tooLong(names.length, most);
  }
  close();
  const { bos, addBos } = text.tokenizer;
  if (addBos && bos !== undefined && names[0] !== bos) names.unshift(bos);
  return { names, pictures: [...pictures.values()] };
}
