import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { HearthError } from "../../error.ts";
import { listAround } from "../../formats/speech/files.ts";
import { readSpeechFolder } from "../../formats/speech/read.ts";
import type { Engine, EngineModel, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { Capability } from "../../spec/model.ts";
import type { Perform, PerformOptions, TaskName, Tasks } from "../../spec/perform.ts";
import { createSoundDecoders } from "../media/sound.ts";
import { createTurns } from "../../util/turns.ts";
import { openDiarization } from "./diarize.ts";
import type { SpeechContext, SpeechTasks } from "./context.ts";
import { loadSherpa } from "./sherpa.ts";
import type { SpeechSetup } from "./setup.ts";
import { openOffline } from "./offline.ts";
import { openOnline } from "./online.ts";
import { openVoice } from "./speak.ts";
import { vadModel, voiceTask } from "./spans.ts";

/** More threads than that only get in each other's way with models of this size. */
const mostThreads = 4;

/** sherpa-onnx in this process: the engine's child. A crash of native code takes the process with it. */
export function createNativeSpeech(setup: SpeechSetup): Engine {
  return {
    name: "speech",
    refuse: () => undefined,
    load: async (model, options) => loadModel(setup, model, options),
  };
}

function loadModel({ pack }: SpeechSetup, model: EngineModel, options: LoadOptions): LoadedModel {
  const folder = readSpeechFolder(listAround(model.path), basename(model.path));
  if (!folder) {
    throw new HearthError("model_unsupported", `${model.name} is no model of speech in the layout of sherpa-onnx.`);
  }
  const context: SpeechContext = {
    sherpa: loadSherpa(pack),
    folder,
    model: model.name,
    threads: options.threads ?? Math.min(mostThreads, availableParallelism()),
    vad: folder.kind === "silero-vad" ? (folder.paths.model ?? "") : vadModel(pack),
    openDecoder: createSoundDecoders(pack),
    turns: createTurns(),
  };
  const tasks = openTasks(context);
  const { weightBytes } = folder;
  return {
    engine: "speech",
    capabilities: Object.keys(tasks) as readonly Capability[],
    device: "cpu",
    contextTokens: 0,
    parallel: 1,
    samplingOptions: new Set(),
    // The parent notices when this process dies; here nobody would be left to tell.
    died: new Promise<void>(() => {}),
    tokenize: async () => noTokens(model.name),
    detokenize: async () => noTokens(model.name),
    perform: performer(tasks, model.name),
    memory: () => ({ ramBytes: weightBytes, vramBytes: 0 }),
    dispose: async () => {},
  };
}

function openTasks(context: SpeechContext): SpeechTasks {
  const { kind } = context.folder;
  switch (kind) {
    case "silero-vad":
      return voiceTask(context);
    case "diarization":
      return openDiarization(context);
    case "kokoro":
    case "kitten":
    case "matcha":
    case "vits":
      return openVoice(context);
    case "streaming-transducer":
    case "streaming-paraformer":
    case "streaming-zipformer-ctc":
    case "streaming-nemo-ctc":
      return openOnline(context);
    default:
      return openOffline(context);
  }
}

function performer(tasks: SpeechTasks, model: string): Perform {
  return async <Name extends TaskName>(
    task: Name,
    request: Tasks[Name]["request"],
    options: PerformOptions<Name> = {},
  ): Promise<Tasks[Name]["result"]> => {
    // A task of the table has the request and the result of its name.
    const run = tasks[task as keyof SpeechTasks] as
      | ((request: Tasks[Name]["request"], options: PerformOptions<Name>) => Promise<Tasks[Name]["result"]>)
      | undefined;
    if (run) return await run(request, options);
    throw new HearthError("unsupported_capability", `Model "${model}" cannot run the task ${task}.`);
  };
}

function noTokens(model: string): never {
  throw new HearthError("unsupported_capability", `Model "${model}" has no tokens to give out.`);
}
