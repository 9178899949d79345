/** `/v1/audio/transcriptions` and `/v1/audio/translations`: forms, and transcripts → responses. */
import { z } from "zod";
import { toSrt, toVtt } from "../../formats/subtitles.ts";
import type { TranscribeRequest, TranscribeResult, TranscriptSegment } from "../../spec/perform.ts";
import type { PerformTaskRequest } from "../../spec/task.ts";
import type { FormBody, Reply, RouteRequest, SseFrame } from "../route.ts";
import { badField, parseBody } from "../shared/body.ts";
import { defined } from "../shared/defined.ts";
import { parseKeepAlive } from "../shared/duration.ts";
import { listField, oneFile, singleFields } from "../shared/form.ts";
import type { TaskEvent } from "../shared/parts.ts";
import type { Caller } from "./request.ts";

const formats = ["json", "text", "srt", "verbose_json", "vtt"] as const;
type TranscriptFormat = (typeof formats)[number];

export interface TranscriptionCall {
  readonly request: PerformTaskRequest<"transcribe"> & { readonly signal: AbortSignal };
  readonly format: TranscriptFormat;
  readonly stream: boolean;
  readonly granularities: ReadonlySet<string>;
}

const fields = z.object({
  model: z.string().min(1).max(512),
  language: z.string().max(32).optional(),
  prompt: z.string().max(10_000).optional(),
  response_format: z.enum(formats).optional(),
  temperature: z.coerce.number().min(0).max(1).optional(),
  stream: z.enum(["true", "false"]).optional(),
  keep_alive: z.string().optional(),
  chunking_strategy: z.literal("auto", { error: 'must be "auto": long sound is cut where nobody speaks' }).optional(),
});

export function parseTranscription(request: RouteRequest, caller: Caller, translate: boolean): TranscriptionCall {
  const form = toForm(request.body);
  const body = parseBody(fields, singleFields(form, Object.keys(fields.shape)));
  const granularities = new Set(listField(form, "timestamp_granularities"));
  const format = body.response_format ?? "json";
  checkGranularities(granularities, format);
  if (listField(form, "include").length > 0)
    throw badField("include", "asks for logprobs, which models of speech do not give here");
  const stream = body.stream === "true" && !translate;
  if (stream && format !== "json" && format !== "text") {
    throw badField("response_format", `is "${format}"; a stream is json or text`);
  }
  const { language, prompt, temperature } = body;
  const input: TranscribeRequest = {
    audio: { bytes: oneFile(form, "file").bytes },
    ...defined({ language: language?.toLowerCase(), prompt, temperature }),
    ...(translate && { translate }),
    ...(granularities.has("word") && { words: true }),
  };
  const keepAliveMs = body.keep_alive === undefined ? undefined : parseKeepAlive(body.keep_alive);
  return {
    request: { task: "transcribe", model: body.model, input, ...caller, ...defined({ keepAliveMs }) },
    format,
    stream,
    granularities,
  };
}

function toForm(body: unknown): FormBody {
  if (typeof body === "object" && body !== null && "fields" in body && "files" in body) return body as FormBody;
  throw badField("body", "is missing");
}

function checkGranularities(wanted: ReadonlySet<string>, format: TranscriptFormat): void {
  for (const one of wanted) {
    if (one !== "word" && one !== "segment") throw badField("timestamp_granularities", 'must be "word" or "segment"');
  }
  if (wanted.size > 0 && format !== "verbose_json") {
    throw badField("timestamp_granularities", "needs the response_format verbose_json");
  }
}

export function toTranscription(
  result: TranscribeResult,
  { format, granularities, request }: TranscriptionCall,
): Reply {
  switch (format) {
    case "text":
      return { kind: "text", body: `${result.text}\n` };
    case "srt":
      return { kind: "text", body: toSrt(result.segments) };
    case "vtt":
      return { kind: "text", body: toVtt(result.segments) };
    case "verbose_json":
      return { kind: "json", body: toVerbose(result, granularities, request.input.translate === true) };
    default:
      return { kind: "json", body: { text: result.text, usage: usageOf(result) } };
  }
}

/** What OpenAI's server measures of its own models (logprobs, compression …) and these do not is left out. */
function toVerbose(result: TranscribeResult, wanted: ReadonlySet<string>, translate: boolean): object {
  const { language, seconds, segments, text } = result;
  const words = segments.flatMap((segment) => segment.words ?? []);
  return {
    task: translate ? "translate" : "transcribe",
    ...(language !== undefined && { language: languageName(language) }),
    duration: seconds,
    text,
    ...((wanted.size === 0 || wanted.has("segment")) && {
      segments: segments.map(({ start, end, text: said }, id) => ({ id, start, end, text: said })),
    }),
    ...(wanted.has("word") && { words: words.map(({ text: word, start, end }) => ({ word, start, end })) }),
    usage: usageOf(result),
  };
}

/** `en` → `english`. */
function languageName(code: string): string {
  return new Intl.DisplayNames("en", { type: "language" }).of(code)?.toLowerCase() ?? code;
}

function usageOf({ seconds }: TranscribeResult): object {
  return { type: "duration", seconds };
}

/** Events of `stream: true`: each utterance as it was understood. */
export function createTranscriptFrames(): (event: TaskEvent<"transcribe">) => readonly SseFrame[] {
  let first = true;
  return (event) => {
    if (event.type === "result") {
      const { output } = event.result;
      return [frame({ type: "transcript.text.done", text: output.text, usage: usageOf(output) })];
    }
    const delta = textOf(event.part, first);
    first = false;
    return [frame({ type: "transcript.text.delta", delta })];
  };
}

/** Deltas put together are the text of the whole. */
function textOf({ text }: TranscriptSegment, isFirst: boolean): string {
  return isFirst ? text : ` ${text}`;
}

function frame(body: object): SseFrame {
  return { data: JSON.stringify(body) };
}
