import { parseText } from "../config/values.ts";
import { defineCommand, parseNumber, type Command } from "./command.ts";
import { readPicture } from "./tasks/picture.ts";
import { modelFlag, runTask, taskSettings } from "./tasks/ready.ts";

export const caption: Command = defineCommand({
  name: "caption",
  text: "Says what a picture shows, or answers a question about it.",
  arguments: [{ name: "FILE", text: "PNG, JPEG, WebP, GIF, TIFF or AVIF; `-` reads stdin", required: true }],
  flags: {
    model: modelFlag("caption"),
    prompt: { kind: "value", value: "TEXT", text: "what to ask, where the model takes questions", parse: parseText },
    tokens: { kind: "value", value: "N", text: "most tokens of the answer", parse: parseNumber },
  },
  settings: taskSettings,
  examples: ["hearth caption photo.jpg --model MODEL"],
  async run(context) {
    const { args, flags, io, json, writeJson } = context;
    const { model, prompt, tokens: maxTokens } = flags;
    const image = await readPicture(args[0] ?? "", io.stdin);
    let live = false;
    const onPart = ({ text }: { readonly text: string }): void => {
      if (json) return;
      live = true;
      io.stdout.write(text);
    };
    const input = { image, ...(prompt !== undefined && { prompt }), ...(maxTokens !== undefined && { maxTokens }) };
    const { text } = await runTask(context, "caption", { model, input, onPart });
    if (json) writeJson({ text });
    else io.stdout.write(live ? "\n" : `${text}\n`);
  },
});
