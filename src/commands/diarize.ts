import type { SpeakerTurn } from "../spec/perform.ts";
import { formatTable } from "../terminal/table.ts";
import { defineCommand, parseNumber, type Command } from "./command.ts";
import { audioFromArgument } from "./speech/audio-argument.ts";
import { modelFlag, runTask, taskSettings } from "./tasks/ready.ts";

export const diarize: Command = defineCommand({
  name: "diarize",
  text: "Says who speaks when in a sound file.",
  arguments: [{ name: "FILE", text: "WAV, MP3, FLAC, Ogg with Opus or Vorbis; `-` reads stdin", required: true }],
  flags: {
    model: modelFlag("diarize"),
    speakers: { kind: "value", value: "N", text: "how many speak; default: found out", parse: parseNumber },
  },
  settings: taskSettings,
  examples: ["hearth diarize meeting.wav --model MODEL"],
  async run(context) {
    const { args, flags, io, json, writeJson } = context;
    const { model, speakers } = flags;
    const audio = await audioFromArgument(args[0] ?? "", io.stdin);
    const input = { audio, ...(speakers !== undefined && { speakers }) };
    const result = await runTask(context, "diarize", { model, input });
    if (json) writeJson(result);
    else io.stdout.write(formatTable(io.stdout, columns, result.turns));
  },
});

const columns = [
  { title: "SPEAKER", value: (row: SpeakerTurn) => String(row.speaker + 1), align: "right" },
  { title: "FROM", value: (row: SpeakerTurn) => `${row.start.toFixed(2)} s`, align: "right" },
  { title: "TO", value: (row: SpeakerTurn) => `${row.end.toFixed(2)} s`, align: "right" },
] as const;
