/** Models of speech for tests without one: what is "said" are the bytes of the text. */
import { HearthError } from "../src/error.ts";
import type {
  Perform,
  PerformOptions,
  TaskName,
  Tasks,
  TranscribeRequest,
  TranscribeResult,
} from "../src/spec/perform.ts";

type Run<Name extends TaskName> = (
  request: Tasks[Name]["request"],
  options: PerformOptions<Name>,
) => Tasks[Name]["result"] | Promise<Tasks[Name]["result"]>;

/** What a test wants of some tasks; the others are refused. */
export type FakeTasks = { readonly [Name in TaskName]?: Run<Name> };

export function performWith(tasks: FakeTasks): Perform {
  return async <Name extends TaskName>(
    task: Name,
    request: Tasks[Name]["request"],
    options: PerformOptions<Name> = {},
  ): Promise<Tasks[Name]["result"]> => {
    const run = tasks[task];
    if (!run) throw new HearthError("unsupported_capability", `The fake cannot ${task}.`);
    return await run(request, options);
  };
}

export const fakeTranscript: TranscribeResult = {
  text: "Hello there. General <Kenobi>.",
  language: "en",
  seconds: 4.5,
  segments: [
    { text: "Hello there.", start: 0.5, end: 1.5, words: [{ text: "Hello", start: 0.5, end: 0.9 }] },
    { text: "General <Kenobi>.", start: 2, end: 4.25 },
  ],
};

/** Says two parts of four samples each; hears `fakeTranscript` in every sound. Keeps what it was asked to hear. */
export function fakeSpeech(heard: TranscribeRequest[] = []): FakeTasks {
  return {
    transcribe(request, { onPart }) {
      heard.push(request);
      for (const segment of fakeTranscript.segments) onPart?.(segment);
      return fakeTranscript;
    },
    speak({ text, voice = "anna", speed = 1 }, { onPart }) {
      if (voice !== "anna")
        throw new HearthError("bad_request", `There is no voice "${voice}".`, { details: { field: "voice" } });
      for (const value of [0.5, -0.5]) onPart?.({ samples: new Float32Array(4).fill(value), sampleRate: 24_000 });
      return { sampleRate: 24_000, seconds: text.length / speed, voices: ["anna"] };
    },
  };
}
