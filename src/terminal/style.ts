import { stripVTControlCharacters, styleText } from "node:util";
import type { Output } from "./io.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Colours text where the stream is a terminal; NO_COLOR and FORCE_COLOR are respected. */
export function style(stream: Output, format: Style | readonly Style[], text: string): string {
  return styleText(typeof format === "string" ? format : [...format], text, { stream, validateStream: true });
}

/** Columns that a text takes, escape codes not counted. */
export function width(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}

/**
 * Takes out what would steer the terminal: escape, bell and the other control characters. Tabs and line ends stay.
 * For text that a model or a file wrote.
 */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
