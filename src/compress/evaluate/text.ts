/** The text that models are measured with, and its pieces. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Study } from "../../engines/flint/study.ts";
import { HearthError } from "../../error.ts";

export interface Text {
  readonly name: string;
  readonly text: string;
}

/** English prose and code, about 64 KB, written for this or from the documents and the source of this project. */
export async function defaultText(): Promise<Text> {
  return { name: "english.txt", text: await readFile(new URL("english.txt", import.meta.url), "utf8") };
}

/** Throws `bad_request`. */
export async function readText(path: string): Promise<Text> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
    return { name: basename(path), text };
  } catch (error) {
    throw new HearthError("bad_request", `${path} is no text that can be read: ${(error as Error).message}`, {
      hint: "Give the path of a text in UTF-8.",
      cause: error,
    });
  }
}

export interface WindowOptions {
  /** Tokens of a window. */
  readonly size: number;
  /** Most windows. */
  readonly most: number;
}

/**
 * A tokenized text in whole windows; what is left at its end is not used. Each begins with the model's token for the begin
 * of a text, where it has one.
 */
export function cutWindows(text: string, { tokenizer }: Pick<Study, "tokenizer">, options: WindowOptions): number[][] {
  const { size, most } = options;
  const { addBos, bos } = tokenizer;
  const beginning = addBos ? bos : undefined;
  const plain = tokenizer.encode(text, { special: false, start: true });
  const tokens = beginning === undefined ? plain : [beginning, ...plain];
  return Array.from({ length: Math.min(most, Math.floor(tokens.length / size)) }, (_, index) => {
    const window = tokens.slice(index * size, (index + 1) * size);
    if (beginning !== undefined) window[0] = beginning;
    return window;
  });
}
