import { basename } from "node:path";
import { filesAround, listAround } from "../formats/speech/files.ts";
import type { SpeechKind } from "../formats/speech/kind.ts";
import { readSpeechFolder, type SpeechFolder } from "../formats/speech/read.ts";
import type { Capability, InstalledModel, ModelInfo } from "../spec/model.ts";

const tasks: Readonly<Partial<Record<SpeechKind, readonly Capability[]>>> = {
  kokoro: ["speak"],
  kitten: ["speak"],
  vits: ["speak"],
  matcha: ["speak"],
  "silero-vad": ["voice"],
  diarization: ["diarize"],
};

/**
 * What a model of speech is that lies in the layout of sherpa-onnx, after all checks that native code relies on. `path`: one
 * of its ONNX files. Undefined: it is another kind of model. Throws `model_malformed`, `model_unsupported`.
 */
export function describeSpeech(path: string, model?: InstalledModel): ModelInfo | undefined {
  const named = model?.files.find((file) => file.path === path)?.name;
  // Files that are about to be installed have no folder of their own yet.
  const isOne = named === undefined || model?.files.length === 1;
  const folder = isOne
    ? readSpeechFolder(listAround(path), basename(path))
    : readSpeechFolder(
        filesAround(new Map(model?.files.map((file) => [file.name, file.path])), named),
        basename(named),
      );
  return folder && toInfo(folder);
}

function toInfo(folder: SpeechFolder): ModelInfo {
  const { kind, main, voices, parameterCount, weightBytes, precision, tokenCount } = folder;
  const short = [...main.metadata].filter(([, value]) => value.length <= 200);
  return {
    format: "onnx",
    architecture: kind,
    parameterCount,
    quantization: precision.toUpperCase(),
    trainContextTokens: 0,
    embeddingLength: 0,
    blockCount: 0,
    vocabularySize: tokenCount,
    kvBytesPerToken: 0,
    weightBytes,
    specialTokens: [],
    capabilities: tasks[kind] ?? ["transcribe"],
    metadata: {
      ...Object.fromEntries(short),
      layout: "sherpa-onnx",
      ...(voices.length > 0 && { voices: voices.slice(0, 200).join(",") }),
    },
  };
}
