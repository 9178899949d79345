import { existsSync } from "node:fs";
import { extname } from "node:path";
import { parseText } from "../config/values.ts";
import type { ClassifyRequest, Label } from "../spec/perform.ts";
import { formatTable } from "../terminal/table.ts";
import { defineCommand, parseNumber, type Command } from "./command.ts";
import { percent } from "./tasks/columns.ts";
import { readInput } from "./tasks/picture.ts";
import { modelFlag, runTask, taskSettings } from "./tasks/ready.ts";

const pictures: ReadonlySet<string> = new Set([".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"]);
const sounds: ReadonlySet<string> = new Set([".wav", ".mp3", ".flac", ".ogg", ".opus"]);

export const classify: Command = defineCommand({
  name: "classify",
  text: "Says what a picture, a sound or a text is.",
  arguments: [{ name: "INPUT", text: "a picture or sound file, else it is the text", required: true, rest: true }],
  flags: {
    model: modelFlag("classify"),
    labels: {
      kind: "value",
      value: "A,B",
      text: "labels of your own, where the model can compare them with its input",
      parse: (text: string) =>
        text
          .split(",")
          .map((label) => label.trim())
          .filter((label) => label !== ""),
    },
    hypothesis: { kind: "value", value: "TEXT", text: "a sentence that a label stands in, at {}", parse: parseText },
    top: { kind: "value", value: "N", text: "labels that are shown; default 5", parse: parseNumber },
  },
  settings: taskSettings,
  examples: ["hearth classify cat.jpg", 'hearth classify "I love it." --model MODEL --labels praise,blame'],
  async run(context) {
    const { args, flags, io, json, writeJson } = context;
    const { model, labels, hypothesis, top: topK } = flags;
    const options = {
      ...(labels && { labels }),
      ...(hypothesis !== undefined && { hypothesis }),
      ...(topK !== undefined && { topK }),
    };
    const input = { ...(await readAny(args, io.stdin)), ...options };
    const result = await runTask(context, "classify", { model, input });
    const [found = []] = result.labels;
    if (json) writeJson({ labels: found });
    else io.stdout.write(formatTable(io.stdout, columns, found));
  },
});

type Stdin = Parameters<typeof readInput>[1];

async function readAny(args: readonly string[], stdin: Stdin): Promise<ClassifyRequest> {
  const [name = ""] = args;
  const extension = extname(name).toLowerCase();
  if (args.length === 1 && existsSync(name)) {
    if (pictures.has(extension)) return { images: [{ bytes: await readInput(name, stdin) }] };
    if (sounds.has(extension)) return { sounds: [{ bytes: await readInput(name, stdin) }] };
    return { texts: [new TextDecoder().decode(await readInput(name, stdin))] };
  }
  return { texts: [args.join(" ")] };
}

const columns = [
  { title: "LABEL", value: (row: Label) => row.label },
  { title: "SCORE", value: (row: Label) => percent(row.score), align: "right" },
] as const;
