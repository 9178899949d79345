import { writeFile } from "node:fs/promises";
import { parseOneOf, parseText } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { toPlainText, toSrt, toVtt } from "../formats/subtitles.ts";
import type { TranscribeRequest, TranscribeResult, TranscriptSegment } from "../spec/perform.ts";
import { ensureModel } from "./chat/model.ts";
import type { Context, ValueRow } from "./command.ts";
import { defineCommand, parseNumber, type Command } from "./command.ts";
import { audioFromArgument } from "./speech/audio-argument.ts";
import { listenRate } from "./speech/listen.ts";
import { createLivePrinter, transcribeLive } from "./speech/live.ts";
import { taskSettings } from "./tasks/ready.ts";

type TranscriptFormat = "txt" | "srt" | "vtt" | "json";
const formats: readonly TranscriptFormat[] = ["txt", "srt", "vtt", "json"];
const parseFormat = parseOneOf(formats);
const rates = { least: 4000, most: 384_000 };

const flagRows = {
  model: { kind: "value", value: "MODEL", text: "a model that transcribes; default: moonshine", parse: parseText },
  format: {
    kind: "value",
    value: formats.join("|"),
    text: "default: by the name of --out, else txt",
    parse: parseFormat,
  } satisfies ValueRow<TranscriptFormat>,
  out: { kind: "value", value: "FILE", text: "write to this file instead of stdout", parse: parseText },
  language: { kind: "value", value: "CODE", text: "language that is spoken, e.g. en", parse: parseText },
  translate: { kind: "switch", text: "into English, where the model can" },
  words: { kind: "switch", text: "times of words, in JSON, where the model tells them" },
  mic: { kind: "switch", text: "write down what the microphone hears, until Ctrl-C" },
  live: { kind: "switch", text: "write down what comes on stdin as it comes: WAV, or bare samples" },
  rate: {
    kind: "value",
    value: "HZ",
    text: `of bare samples on stdin, which have 16 bits and one channel; default: ${listenRate}`,
    parse: parseRate,
  },
} as const;

type TranscribeContext = Context<typeof flagRows>;

export const transcribe: Command = defineCommand({
  name: "transcribe",
  text: "Writes down what is said in a sound file of any length, or live. A model that is missing is fetched first.",
  arguments: [{ name: "FILE", text: "WAV, MP3, FLAC, Ogg with Opus or Vorbis; `-` reads stdin" }],
  flags: flagRows,
  settings: taskSettings,
  examples: [
    "hearth transcribe meeting.mp3",
    "hearth transcribe talk.wav --out talk.srt",
    "hearth transcribe talk.wav --format json --words",
    "hearth transcribe --mic",
    "arecord -q -f S16_LE -r 16000 | hearth transcribe - --live",
  ],
  async run(context) {
    const { args, flags, json } = context;
    const { out } = flags;
    const format = json ? "json" : (flags.format ?? formatOf(out) ?? "txt");
    checkSource(args[0], flags, format);
    const { name } = await ensureModel(context, flags.model ?? "moonshine");
    const result =
      flags.live || flags.mic ? await runLive(context, name, format) : await runFile(context, name, format);
    if (!result) return;
    const text = write(result, format);
    if (out === undefined) context.io.stdout.write(text);
    else await writeFile(out, text);
  },
});

/** Undefined: it was shown already. */
async function runFile(
  { args, flags, io, signal, hearth }: TranscribeContext,
  model: string,
  format: TranscriptFormat,
): Promise<TranscribeResult | undefined> {
  const house = await hearth();
  const audio = await audioFromArgument(args[0] ?? "", io.stdin);
  // Plain text is shown as it is understood; all else only makes sense as a whole.
  const shows = flags.out === undefined && format === "txt";
  const { output } = await house.perform({
    task: "transcribe",
    model,
    input: { audio, ...wishes(flags) },
    signal,
    onPart: ({ text }) => void (shows && io.stdout.write(`${text}\n`)),
  });
  return shows ? undefined : output;
}

async function runLive(
  { flags, io, signal, hearth, services, status }: TranscribeContext,
  model: string,
  format: TranscriptFormat,
): Promise<TranscribeResult | undefined> {
  const house = await hearth();
  const hear = async (samples: Float32Array): Promise<readonly TranscriptSegment[]> => {
    const audio = { samples, sampleRate: listenRate };
    return (await house.perform({ task: "transcribe", model, input: { audio, ...wishes(flags) } })).output.segments;
  };
  const recording = flags.mic ? await services.record(listenRate, signal) : undefined;
  if (flags.mic && !recording) {
    throw new HearthError("usage", "No program was found that records sound.", {
      hint: "Install alsa-utils, pulseaudio-utils, sox or ffmpeg; or pipe sound in: RECORDER | hearth transcribe - --live.",
    });
  }
  if (recording) status.note(`Listening through ${recording.command}. Ctrl-C ends.`);
  try {
    const bytes = recording?.sound ?? io.stdin;
    const onText = createLivePrinter(io.stdout, format === "json" && flags.out === undefined);
    const result = await transcribeLive({ bytes, rawRate: flags.rate ?? listenRate, signal, hear, onText });
    return flags.out === undefined ? undefined : result;
  } finally {
    recording?.stop();
  }
}

function wishes({ language, translate, words }: TranscribeContext["flags"]): Omit<TranscribeRequest, "audio"> {
  return { ...(language !== undefined && { language }), ...(translate && { translate }), ...(words && { words }) };
}

function checkSource(file: string | undefined, flags: TranscribeContext["flags"], format: TranscriptFormat): void {
  const { live, mic, rate, out } = flags;
  const wrong = (message: string, hint?: string): HearthError => new HearthError("usage", message, { hint });
  if (mic && (live || rate !== undefined)) throw wrong("--mic is live by itself, and sets the rate itself.");
  if (mic && file !== undefined) throw wrong(`--mic hears the microphone; leave ${file} out.`);
  if (live && file !== undefined && file !== "-") throw wrong("--live reads stdin.", `For ${file} leave --live out.`);
  if (!live && rate !== undefined) throw wrong("--rate is for bare samples: --live.");
  if (!live && !mic && file === undefined) throw wrong("FILE is missing.", "Or hear the microphone: --mic.");
  if ((live || mic) && out === undefined && (format === "srt" || format === "vtt")) {
    throw wrong(`Live text on stdout is txt or json, not ${format}.`, `Write it to a file: --out talk.${format}.`);
  }
}

function parseRate(text: string, name: string): number {
  const rate = parseNumber(text, name);
  if (Number.isInteger(rate) && rate >= rates.least && rate <= rates.most) return rate;
  throw new HearthError("usage", `${name} is ${text}; it must be ${rates.least} to ${rates.most}.`);
}

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
