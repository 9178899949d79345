import type { Command } from "./command.ts";
import { defineLook } from "./tasks/look.ts";

export const ocr: Command = defineLook({
  task: "ocr",
  text: "Reads the text in a picture, and outlines its lines.",
  print: ({ text }) => `${text}\n`,
  toJson: ({ text, lines }) => ({ text, lines }),
});
