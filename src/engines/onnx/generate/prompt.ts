/** A prompt as the decoder reads it: tokens, with rows of pictures among them. */
import { HearthError } from "../../../error.ts";
import type { Floats } from "../values.ts";

/** A piece of what an encoder of pictures says: text around the picture, or places for rows. */
export type PicturePiece = { readonly text: string } | { readonly rows: number };

/** A picture as the language model sees it. */
export interface EncodedPicture {
  readonly pieces: readonly PicturePiece[];
  /** Of all pictures that have been seen, this one: equal bytes have equal numbers, from 1. */
  readonly serial: number;
  /** [all rows of its pieces, width]. */
  readonly features: Floats;
  /** Rows and columns of a picture whose places are counted in three directions. */
  readonly grid?: { readonly height: number; readonly width: number };
}

/** Rows that lie at places of the prompt. */
export interface PlacedRows {
  readonly at: number;
  readonly count: number;
  /** Row of `features` that comes first. */
  readonly first: number;
  readonly features: Floats;
  readonly grid?: EncodedPicture["grid"];
}

export interface Prompt {
  /** 0 where rows of pictures lie. */
  readonly tokens: readonly number[];
  /** The same, with a negative number where a picture lies that no other picture and no other row has. */
  readonly names: readonly number[];
  readonly rows: readonly PlacedRows[];
}

/** Places of tokens, one direction: 0, 1, 2 … */
export function plainPositions(from: number, to: number): readonly (readonly number[])[] {
  return [Array.from({ length: to - from }, (_, index) => from + index)];
}

/**
 * Places in three directions, as Qwen2-VL counts them (https://arxiv.org/abs/2409.12191, 2.1): text moves on in all three,
 * a picture stands at one time and spreads in height and width. `next`: place of the first token behind the prompt.
 */
export function gridPositions({ tokens, rows }: Pick<Prompt, "tokens" | "rows">): {
  readonly all: readonly number[][];
  readonly next: number;
} {
  const [time, down, along]: [number[], number[], number[]] = [[], [], []];
  let next = 0;
  for (let at = 0; at < tokens.length;) {
    const picture = rows.find((one) => one.at === at);
    if (!picture?.grid) {
      for (const places of [time, down, along]) places.push(next);
      next++;
      at++;
      continue;
    }
    const { height, width } = picture.grid;
    for (let row = 0; row < picture.count; row++) {
      time.push(next);
      down.push(next + Math.floor(row / width));
      along.push(next + (row % width));
    }
    next += Math.max(height, width);
    at += picture.count;
  }
  return { all: [time, down, along], next };
}

export function tooLong(promptTokens: number, contextTokens: number): HearthError {
  return new HearthError(
    "context_too_long",
    `The prompt has ${promptTokens} tokens; the context holds ${contextTokens}.`,
    {
      details: { promptTokens, contextTokens },
    },
  );
}
