/** OpenAI's routes for sound. */
import type { Hearth } from "../../tasks/contract.ts";
import type { Reply, Route, RouteRequest } from "../route.ts";
import { mapTask, startTask } from "../shared/parts.ts";
import { callerOf } from "./caller.ts";
import { createSpeechBytes, createSpeechFrames, parseSpeech, speechType } from "./speech.ts";
import { createTranscriptFrames, parseTranscription, toTranscription } from "./transcription.ts";

async function speech(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const { request: task, format, stream } = parseSpeech(request.body, callerOf(request));
  const events = await startTask(hearth, task);
  if (stream === "sse") return { kind: "sse", frames: mapTask(events, createSpeechFrames(format)) };
  return { kind: "byte-stream", type: speechType(format), frames: mapTask(events, createSpeechBytes(format)) };
}

async function transcribe(request: RouteRequest, hearth: Hearth, translate: boolean): Promise<Reply> {
  const call = parseTranscription(request, callerOf(request), translate);
  if (call.stream) {
    const events = await startTask(hearth, call.request);
    return { kind: "sse", frames: mapTask(events, createTranscriptFrames()) };
  }
  const { output } = await hearth.perform(call.request);
  return toTranscription(output, call);
}

export const audioRoutes: readonly Route[] = [
  { method: "POST", path: "/v1/audio/speech", access: "infer", handle: speech },
  {
    method: "POST",
    path: "/v1/audio/transcriptions",
    access: "infer",
    takes: "form",
    handle: async (request, hearth) => await transcribe(request, hearth, false),
  },
  {
    method: "POST",
    path: "/v1/audio/translations",
    access: "infer",
    takes: "form",
    handle: async (request, hearth) => await transcribe(request, hearth, true),
  },
];
