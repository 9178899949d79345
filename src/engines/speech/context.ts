import type { ReadSoundOptions } from "../../formats/audio/read.ts";
import type { SpeechFolder } from "../../formats/speech/read.ts";
import type { PerformOptions, Tasks } from "../../spec/perform.ts";
import type { Turns } from "../../util/turns.ts";
import type { Sherpa } from "./sherpa.ts";

/** What all tasks of one loaded model work with. */
export interface SpeechContext {
  readonly sherpa: Sherpa;
  readonly folder: SpeechFolder;
  /** What messages call the model. */
  readonly model: string;
  readonly threads: number;
  /** Path of a model of voice activity. */
  readonly vad: string;
  readonly openDecoder: NonNullable<ReadSoundOptions["openDecoder"]>;
  /** The native library runs one piece of work at a time; long requests let others in between their pieces. */
  readonly turns: Turns;
}

type SpeechTask = "transcribe" | "speak" | "voice" | "diarize";

/** The tasks that a model has. */
export type SpeechTasks = {
  readonly [Name in SpeechTask]?: (
    request: Tasks[Name]["request"],
    options: PerformOptions<Name>,
  ) => Promise<Tasks[Name]["result"]>;
};
