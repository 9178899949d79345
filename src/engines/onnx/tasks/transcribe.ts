/** Speech to text: Whisper (https://arxiv.org/abs/2212.04356), Moonshine (https://arxiv.org/abs/2410.15608), and CTC models. */
import { HearthError } from "../../../error.ts";
import { readSound } from "../../../formats/audio/read.ts";
import type { TimedText, TranscribeRequest, TranscribeResult, TranscriptSegment } from "../../../spec/perform.ts";
import type { OpenTasks } from "../context.ts";
import { selectOutputs } from "../outputs.ts";
import { openPipeline, rows, stringOf } from "../pipeline.ts";
import type { Pipeline, TransformersTensor } from "../transformers.ts";
import { detectLanguage, languagesOf } from "./language.ts";
import { sentences } from "./segments.ts";
import type { Window } from "./windows.ts";
import { loudness, windows } from "./windows.ts";

const sampleRate = 16_000;
/** Below this there is nothing to hear, and models make something up. */
const silence = 1e-4;

export const openTranscribe: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "automatic-speech-recognition");
  const isWhisper = context.info.architecture.includes("whisper");
  const isCtc = String(context.config("config.json")?.["architectures"]).endsWith("ForCTC");
  /** Requests under way that ask for times of words, which Whisper tells by what its decoder attends to. */
  let wantWords = 0;
  selectOutputs(pipe.model, (name) => !/attentions/.test(name) || (wantWords > 0 && name.startsWith("cross_")));
  const hearWindow = async (window: Window, request: WhisperRequest): Promise<TranscriptSegment[]> => {
    const counts = request.words === true ? 1 : 0;
    wantWords += counts;
    try {
      return await hearWhisper(pipe, window, request);
    } finally {
      wantWords -= counts;
    }
  };
  const languages = isWhisper ? languagesOf(pipe) : undefined;
  // Whisper hears 30 seconds at once; the others were trained with less.
  const sizes = isWhisper ? { mostSeconds: 29, searchSeconds: 8 } : { mostSeconds: 20, searchSeconds: 6 };
  return {
    tasks: {
      async transcribe(request, { signal, onPart }) {
        checkRequest(request, { isWhisper, languages });
        const segments: TranscriptSegment[] = [];
        let { language } = request;
        let seconds = 0;
        const sound = readSound(request.audio, { sampleRate, signal, ...context.sounds });
        for await (const window of windows(sound, { sampleRate, ...sizes })) {
          signal?.throwIfAborted();
          seconds = window.start + window.samples.length / sampleRate;
          if (loudness(window.samples) < silence) continue;
          if (languages && language === undefined) language = await detectLanguage(context, pipe, window.samples);
          const heard = isWhisper
            ? await hearWindow(window, {
                ...request,
                ...(language !== undefined && { language }),
                multilingual: languages !== undefined,
              })
            : await hear(window, pipe, isCtc);
          for (const segment of heard) {
            segments.push(segment);
            onPart?.(segment);
          }
        }
        return toResult(segments, {
          seconds,
          language: languages ? language : (language ?? (isWhisper ? "en" : undefined)),
        });
      },
    },
    dispose: () => pipe.dispose(),
  };
};

function toResult(
  segments: readonly TranscriptSegment[],
  { seconds, language }: { readonly seconds: number; readonly language: string | undefined },
): TranscribeResult {
  const text = segments
    .map((segment) => segment.text.trim())
    .join(" ")
    .trim();
  return { text, seconds, segments, ...(language !== undefined && { language }) };
}

interface Abilities {
  readonly isWhisper: boolean;
  /** Codes of its languages; undefined: it knows one. */
  readonly languages: ReadonlySet<string> | undefined;
}

function checkRequest(
  { language, translate, words, prompt }: TranscribeRequest,
  { isWhisper, languages }: Abilities,
): void {
  const refuse = (field: string, message: string): HearthError =>
    new HearthError("unsupported_option", message, { details: { field } });
  if (prompt !== undefined) throw refuse("prompt", "This engine cannot give a model of speech a `prompt`.");
  if (words === true && !isWhisper) throw refuse("words", "This model knows no times of words.");
  if (translate === true && !languages) throw refuse("translate", "This model does not translate.");
  if (language === undefined) return;
  if (languages && !languages.has(language)) {
    throw refuse(
      "language",
      `The language "${language}" is not among those of the model: ${[...languages].join(", ")}.`,
    );
  }
  if (!languages && language !== "en") throw refuse("language", `This model understands English, not "${language}".`);
}

interface WhisperRequest extends TranscribeRequest {
  readonly multilingual: boolean;
}

async function hearWhisper(pipe: Pipeline, window: Window, request: WhisperRequest): Promise<TranscriptSegment[]> {
  const { language, translate, words, temperature = 0, multilingual } = request;
  let found: unknown;
  try {
    found = await pipe(window.samples, {
      return_timestamps: words === true ? "word" : true,
      ...(multilingual && { language: language ?? "en", task: translate === true ? "translate" : "transcribe" }),
      ...(temperature > 0 && { do_sample: true, temperature }),
    });
  } catch (error) {
    if (words !== true) throw error;
    const message = "This model's files do not give the times of words.";
    throw new HearthError("unsupported_option", message, {
      hint: "Leave `words` out.",
      details: { field: "words" },
      cause: error,
    });
  }
  const [result] = rows(found);
  const chunks = rows(result?.["chunks"]).map((chunk) => toTimed(chunk, window));
  return words === true ? sentences(chunks) : chunks.filter(({ text }) => text.trim() !== "");
}

/** Models without times: a window is a segment. */
async function hear(window: Window, pipe: Pipeline, isCtc: boolean): Promise<TranscriptSegment[]> {
  const text = isCtc ? await hearLetters(window, pipe) : await hearText(window, pipe);
  if (text === "") return [];
  return [{ text, start: window.start, end: window.start + window.samples.length / sampleRate }];
}

async function hearText({ samples }: Window, pipe: Pipeline): Promise<string> {
  const [result] = rows(await pipe(samples));
  return result ? stringOf(result, "text").trim() : "";
}

/**
 * The best token of each moment (https://www.cs.toronto.edu/~graves/icml_2006.pdf). The pipeline leaves the blanks out
 * before it counts equal letters as one, so that "hello" loses an l: here blanks stay until the letters are counted.
 */
async function hearLetters({ samples }: Window, { model, processor, tokenizer }: Pipeline): Promise<string> {
  const { logits } = await model(await processor(samples));
  const blank = tokenizer.pad_token_id ?? 0;
  const controls = new Set(tokenizer.all_special_ids);
  const tokens = logits ? bestOf(logits) : [];
  const letters = tokens.map((token) => (controls.has(token) ? blank : token));
  return tokenizer.decode(letters, { skip_special_tokens: false }).trim();
}

/** [1, moments, tokens] → the best token of each moment. */
function bestOf({ dims, data }: TransformersTensor): number[] {
  const width = dims.at(-1) ?? 1;
  const values = data as Float32Array;
  return Array.from({ length: values.length / width }, (_, row) => {
    const moment = values.subarray(row * width, (row + 1) * width);
    return moment.reduce((best, value, token) => (value > (moment[best] ?? 0) ? token : best), 0);
  });
}

function toTimed(chunk: Readonly<Record<string, unknown>>, { start, samples }: Window): TimedText {
  const times: readonly unknown[] = Array.isArray(chunk["timestamp"]) ? chunk["timestamp"] : [];
  const length = samples.length / sampleRate;
  const time = (value: unknown, missing: number): number =>
    start + Math.min(length, typeof value === "number" && Number.isFinite(value) ? value : missing);
  const from = time(times[0], 0);
  return { text: stringOf(chunk, "text"), start: from, end: Math.max(from, time(times[1], length)) };
}
