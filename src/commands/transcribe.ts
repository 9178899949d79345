import { writeFile } from "node:fs/promises";
import { parseOneOf, parseText } from "../config/values.ts";
import { toPlainText, toSrt, toVtt } from "../formats/subtitles.ts";
import type { TranscribeResult } from "../spec/perform.ts";
import { ensureModel } from "./chat/model.ts";
import { defineCommand, type Command } from "./command.ts";
import { audioFromArgument } from "./speech/audio-argument.ts";
import { taskSettings } from "./tasks/ready.ts";

type TranscriptFormat = "txt" | "srt" | "vtt" | "json";
const formats: readonly TranscriptFormat[] = ["txt", "srt", "vtt", "json"];
const parseFormat = parseOneOf(formats);

export const transcribe: Command = defineCommand({
  name: "transcribe",
  text: "Writes down what is said in a sound file, of any length. A model that is missing is fetched first.",
  arguments: [{ name: "FILE", text: "WAV, MP3, FLAC, Ogg with Opus or Vorbis; `-` reads stdin", required: true }],
  flags: {
    model: { kind: "value", value: "MODEL", text: "a model that transcribes; default: moonshine", parse: parseText },
    format: {
      kind: "value",
      value: formats.join("|"),
      text: "default: by the name of --out, else txt",
      parse: parseFormat,
    },
    out: { kind: "value", value: "FILE", text: "write to this file instead of stdout", parse: parseText },
    language: { kind: "value", value: "CODE", text: "language that is spoken, e.g. en", parse: parseText },
    translate: { kind: "switch", text: "into English, where the model can" },
    words: { kind: "switch", text: "times of words, in JSON, where the model tells them" },
  },
  settings: taskSettings,
  examples: [
    "hearth transcribe meeting.mp3",
    "hearth transcribe talk.wav --out talk.srt",
    "hearth transcribe talk.wav --format json --words",
  ],
  async run(context) {
    const { args, flags, io, json, signal } = context;
    const { out, language } = flags;
    const format = json ? "json" : (flags.format ?? formatOf(out) ?? "txt");
    const { name } = await ensureModel(context, flags.model ?? "moonshine");
    const hearth = await context.hearth();
    const audio = await audioFromArgument(args[0] ?? "", io.stdin);
    const { translate, words } = flags;
    // Plain text is shown as it is understood; all else only makes sense as a whole.
    const live = out === undefined && format === "txt";
    const { output } = await hearth.perform({
      task: "transcribe",
      model: name,
      input: {
        audio,
        ...(language !== undefined && { language }),
        ...(translate && { translate }),
        ...(words && { words }),
      },
      signal,
      onPart: ({ text }) => void (live && io.stdout.write(`${text}\n`)),
    });
    if (live) return;
    const text = write(output, format);
    if (out === undefined) io.stdout.write(text);
    else await writeFile(out, text);
  },
});

function formatOf(path: string | undefined): TranscriptFormat | undefined {
  const extension = path?.toLowerCase().split(".").at(-1);
  return formats.find((format) => format === extension);
}

function write(result: TranscribeResult, format: TranscriptFormat): string {
  switch (format) {
    case "txt":
      return toPlainText(result.segments);
    case "srt":
      return toSrt(result.segments);
    case "vtt":
      return toVtt(result.segments);
    default:
      return `${JSON.stringify(result, null, 2)}\n`;
  }
}
