/** `/v1/audio/speech`: bodies, and sound → bytes as they are made. */
import { z } from "zod";
import { createResampler, type Resampler } from "../../formats/audio/resample.ts";
import { toPcm16, wavHeader } from "../../formats/audio/write.ts";
import type { AudioPart } from "../../spec/perform.ts";
import type { PerformTaskRequest } from "../../spec/task.ts";
import type { SseFrame } from "../route.ts";
import { badField, parseBody } from "../shared/body.ts";
import { defined } from "../shared/defined.ts";
import { parseKeepAlive } from "../shared/duration.ts";
import type { TaskEvent } from "../shared/parts.ts";
import type { Caller } from "./request.ts";

export interface SpeechCall {
  readonly request: PerformTaskRequest<"speak"> & { readonly signal: AbortSignal };
  readonly format: "wav" | "pcm";
  readonly stream: "audio" | "sse";
}

/** OpenAI's raw samples have this rate; nothing in the answer could say another. */
const pcmRate = 24_000;

const speechBody = z.object({
  model: z.string().min(1).max(512),
  input: z.string().min(1).max(100_000),
  voice: z
    .union([z.string().min(1).max(200), z.object({ id: z.string().min(1).max(200) })], {
      error: 'must be the name of a voice, or {"id": …}',
    })
    .optional(),
  response_format: z.enum(["wav", "pcm", "mp3", "opus", "aac", "flac"]).optional(),
  speed: z.number().min(0.25).max(4).optional(),
  instructions: z.string().optional(),
  stream_format: z.enum(["audio", "sse"]).optional(),
  keep_alive: z.union([z.string(), z.number()], { error: "must be a duration or a number of seconds" }).optional(),
});

export function parseSpeech(value: unknown, caller: Caller): SpeechCall {
  const body = parseBody(speechBody, value);
  // Clients that leave it out get WAV, whose header says what it is; OpenAI's default is MP3.
  const format = body.response_format ?? "wav";
  if (format !== "wav" && format !== "pcm") {
    throw badField("response_format", `is "${format}", for which there is no encoder here`, "Ask for wav or pcm.");
  }
  if (body.instructions !== undefined && body.instructions.trim() !== "") {
    throw badField("instructions", "are not understood by models of speech that run here");
  }
  const { voice, input: text, speed } = body;
  const keepAliveMs = body.keep_alive === undefined ? undefined : parseKeepAlive(body.keep_alive);
  const input = { text, ...defined({ voice: typeof voice === "object" ? voice.id : voice, speed }) };
  return {
    request: { task: "speak", model: body.model, input, ...caller, ...defined({ keepAliveMs }) },
    format,
    stream: body.stream_format ?? "audio",
  };
}

export function speechType(format: SpeechCall["format"]): string {
  return format === "wav" ? "audio/wav" : "audio/pcm";
}

/** Bytes of the file for each part of the sound. */
export function createSpeechBytes(format: SpeechCall["format"]): (event: TaskEvent<"speak">) => readonly Uint8Array[] {
  let resampler: Resampler | undefined;
  let isFirst = true;
  return (event) => {
    if (event.type === "result") return resampler ? nonEmpty([toPcm16(resampler.flush())]) : [];
    const { samples, sampleRate }: AudioPart = event.part;
    const header = isFirst && format === "wav" ? [wavHeader({ sampleRate })] : [];
    isFirst = false;
    if (format === "wav") return nonEmpty([...header, toPcm16(samples)]);
    resampler ??= createResampler({ from: sampleRate, to: pcmRate });
    return nonEmpty([toPcm16(resampler.push(samples))]);
  };
}

/** The same in events. */
export function createSpeechFrames(format: SpeechCall["format"]): (event: TaskEvent<"speak">) => readonly SseFrame[] {
  const bytes = createSpeechBytes(format);
  return (event) => {
    const deltas = bytes(event).map((piece) => ({
      type: "speech.audio.delta",
      audio: Buffer.from(piece).toString("base64"),
    }));
    const done = event.type === "result" ? [{ type: "speech.audio.done" }] : [];
    return [...deltas, ...done].map((body) => ({ data: JSON.stringify(body) }));
  };
}

function nonEmpty(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  return pieces.filter(({ length }) => length > 0);
}
