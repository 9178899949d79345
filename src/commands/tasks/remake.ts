/** Commands that make a new picture of a picture. */
import { parseText } from "../../config/values.ts";
import { defineCommand, type Command } from "../command.ts";
import { picturePath, readPicture, writePicture } from "./picture.ts";
import { modelFlag, runTask, taskSettings } from "./ready.ts";

export function defineRemake(task: "remove-background" | "upscale", text: string): Command {
  return defineCommand({
    name: task,
    text,
    arguments: [{ name: "FILE", text: "PNG, JPEG, WebP, GIF, TIFF or AVIF; `-` reads stdin", required: true }],
    flags: {
      model: modelFlag(task),
      out: { kind: "value", value: "FILE.png", text: `default: NAME.${task}.png`, parse: parseText },
    },
    settings: taskSettings,
    examples: [`hearth ${task} photo.jpg --out new.png`],
    async run(context) {
      const { args, flags, io, json, writeJson } = context;
      const name = args[0] ?? "";
      const path = picturePath(name, task, flags.out);
      const input = { image: await readPicture(name, io.stdin) };
      const made = await runTask(context, task, { model: flags.model, input });
      await writePicture(path, made);
      const { width, height } = made;
      if (json) writeJson({ picture: path, width, height });
      else io.stdout.write(`${path}: ${width} × ${height} pixels.\n`);
    },
  });
}
