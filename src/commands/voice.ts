import { formatTable } from "../terminal/table.ts";
import { defineCommand, parseNumber, type Command } from "./command.ts";
import { audioFromArgument } from "./speech/audio-argument.ts";
import { modelFlag, runTask, taskSettings } from "./tasks/ready.ts";

export const voice: Command = defineCommand({
  name: "voice",
  text: "Says where somebody speaks in a sound file.",
  arguments: [{ name: "FILE", text: "WAV, MP3, FLAC, Ogg with Opus or Vorbis; `-` reads stdin", required: true }],
  flags: {
    model: modelFlag("voice"),
    threshold: { kind: "value", value: "N", text: "how sure the model must be, 0 to 1", parse: parseNumber },
  },
  settings: taskSettings,
  examples: ["hearth voice call.wav"],
  async run(context) {
    const { args, flags, io, json, writeJson } = context;
    const { model, threshold } = flags;
    const audio = await audioFromArgument(args[0] ?? "", io.stdin);
    const input = { audio, ...(threshold !== undefined && { threshold }) };
    const result = await runTask(context, "voice", { model, input });
    if (json) writeJson(result);
    else io.stdout.write(formatTable(io.stdout, columns, result.spans));
  },
});

interface Span {
  readonly start: number;
  readonly end: number;
}

const columns = [
  { title: "FROM", value: (row: Span) => `${row.start.toFixed(2)} s`, align: "right" },
  { title: "TO", value: (row: Span) => `${row.end.toFixed(2)} s`, align: "right" },
] as const;
