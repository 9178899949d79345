/** Commands that find something in a picture, print it as a table, and draw it over the picture. */
import { parseText } from "../../config/values.ts";
import type { ImageOutput } from "../../spec/media.ts";
import type { Tasks } from "../../spec/perform.ts";
import type { Output } from "../../terminal/io.ts";
import { defineCommand, parseNumber, type Command } from "../command.ts";
import { picturePath, readPicture, writePicture } from "./picture.ts";
import { modelFlag, runTask, taskSettings } from "./ready.ts";

type LookName = "detect" | "segment" | "pose" | "ocr" | "depth";

export interface Look<Name extends LookName> {
  readonly task: Name;
  readonly text: string;
  /** What is printed. */
  readonly print: (result: Tasks[Name]["result"], stdout: Output) => string;
  /** What `--json` writes; masks and maps go into the picture instead. */
  readonly toJson: (result: Tasks[Name]["result"]) => Readonly<Record<string, unknown>>;
}

export function defineLook<Name extends LookName>({ task, text, print, toJson }: Look<Name>): Command {
  return defineCommand({
    name: task,
    text,
    arguments: [{ name: "FILE", text: "PNG, JPEG, WebP, GIF, TIFF or AVIF; `-` reads stdin", required: true }],
    flags: {
      model: modelFlag(task),
      out: {
        kind: "value",
        value: "FILE.png",
        text: `where the drawing goes; default: NAME.${task}.png, with --json none`,
        parse: parseText,
      },
      ...(task !== "depth" && {
        threshold: { kind: "value", value: "N", text: "least score that counts, 0 to 1", parse: parseNumber },
      }),
    },
    settings: taskSettings,
    examples: [`hearth ${task} photo.jpg`, `hearth ${task} photo.jpg --out found.png --json`],
    async run(context) {
      const { args, io, json, writeJson } = context;
      // `threshold` is there for all but depth.
      const flags = context.flags as { model?: string; out?: string; threshold?: number };
      const name = args[0] ?? "";
      const path = json && flags.out === undefined ? undefined : picturePath(name, task, flags.out);
      const input = {
        image: await readPicture(name, io.stdin),
        ...(path !== undefined && { draw: true }),
        ...(flags.threshold !== undefined && { threshold: flags.threshold }),
      } as Tasks[Name]["request"];
      const result = await runTask(context, task, { model: flags.model, input });
      const { drawn } = result as { readonly drawn?: ImageOutput };
      if (path !== undefined && drawn) await writePicture(path, drawn);
      if (json) writeJson({ ...toJson(result), ...(path !== undefined && drawn && { picture: path }) });
      else io.stdout.write(print(result, io.stdout));
      if (!json && path !== undefined && drawn) context.status.note(`Drawn in ${path}.`);
    },
  });
}
