import { stripVTControlCharacters } from "node:util";
import type { Output } from "../../terminal/io.ts";
import { width } from "../../terminal/style.ts";
import { shorten } from "./draw.ts";

/** Each text takes the place of the one before it on the terminal. */
export function createScreen(stream: Output): (text: string) => void {
  let drawn = 0;
  return (text) => {
    const lines = text.split("\n").map((line) => fit(line, stream.columns || Infinity));
    // Up to the first line, and clear what is below. In one write: nothing flickers.
    const back = drawn === 0 ? "" : `\u001b[${drawn}A\u001b[J`;
    stream.write(back + lines.join("\n"));
    drawn = lines.length - 1;
  };
}

/** A line that the terminal broke would be two to go up. */
function fit(line: string, columns: number): string {
  return width(line) <= columns ? line : shorten(stripVTControlCharacters(line), columns);
}
