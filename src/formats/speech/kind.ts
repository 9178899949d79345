/** What a model of speech is: from its files, and what its ONNX metadata say. */
import { HearthError } from "../../error.ts";
import type { OnnxModel } from "../onnx/types.ts";
import type { SpeechLayout, SpeechPart } from "./layout.ts";

export type SpeechKind =
  | "whisper"
  | "moonshine"
  | "moonshine-merged"
  | "canary"
  | "transducer"
  | "paraformer"
  | "sense-voice"
  | "nemo-ctc"
  | "zipformer-ctc"
  | "wenet-ctc"
  | "streaming-transducer"
  | "streaming-paraformer"
  | "streaming-zipformer-ctc"
  | "streaming-nemo-ctc"
  | "kokoro"
  | "kitten"
  | "vits"
  | "matcha"
  | "silero-vad"
  | "diarization";

/** What the metadata call `model_type`, by the beginning of the word; the first that fits counts. */
const pairs: readonly (readonly [RegExp, SpeechKind])[] = [
  [/^whisper/, "whisper"],
  [/^EncDecMultiTask/, "canary"],
  [/^paraformer/, "streaming-paraformer"],
];
const singles: readonly (readonly [RegExp, SpeechKind])[] = [
  [/^sense_voice/, "sense-voice"],
  [/^paraformer/, "paraformer"],
  [/^EncDec/, "nemo-ctc"],
  [/^zipformer/, "zipformer-ctc"],
  [/^wenet/, "wenet-ctc"],
];
const speakers: readonly (readonly [RegExp, SpeechKind])[] = [
  [/^kokoro/, "kokoro"],
  [/^kitten/, "kitten"],
  [/^matcha/, "matcha"],
  [/^(vits|piper)/, "vits"],
];

/** The file whose metadata describe the whole. */
export function mainPart({ parts }: SpeechLayout): SpeechPart {
  if (parts.encoder !== undefined) return "encoder";
  return parts.segmentation === undefined ? "model" : "segmentation";
}

/**
 * `model`: the file of `mainPart`. Undefined: the folder holds an ONNX model of another kind. Throws `model_unsupported` for
 * a model of speech that the engine does not know.
 */
export function findKind({ shape }: SpeechLayout, model: OnnxModel): SpeechKind | undefined {
  const type = model.metadata.get("model_type") ?? "";
  switch (shape) {
    case "alone":
      return isSilero(model) ? "silero-vad" : undefined;
    case "moonshine":
    case "moonshine-merged":
    case "diarization":
      return shape;
    case "transducer":
      return isStreaming(model) ? "streaming-transducer" : "transducer";
    case "pair":
      return known(pairs, type);
    case "single":
      return singleKind(type, model);
    default:
      return known(speakers, type);
  }
}

function singleKind(type: string, model: OnnxModel): SpeechKind {
  const kind = known(singles, type);
  if (!isStreaming(model)) return kind;
  if (kind === "zipformer-ctc") return "streaming-zipformer-ctc";
  if (kind === "nemo-ctc") return "streaming-nemo-ctc";
  return kind;
}

function known(table: readonly (readonly [RegExp, SpeechKind])[], type: string): SpeechKind {
  const found = table.find(([pattern]) => pattern.test(type));
  if (found) return found[1];
  const said = type === "" ? "does not say in its metadata what it is" : `says that it is "${type.slice(0, 60)}"`;
  throw new HearthError("model_unsupported", `The model of speech ${said}, which hearth does not know.`, {
    hint: `It knows ${table.map(([, kind]) => kind).join(", ")} in this layout.`,
  });
}

/** Offline encoders take features and their length; streaming ones take their own earlier states too. */
function isStreaming({ graph, metadata }: OnnxModel): boolean {
  const weights = graph.inputs.filter(({ name }) => graph.initializers.has(name)).length;
  return metadata.has("decode_chunk_len") || graph.inputs.length - weights > 3;
}

const sileroInputs = [
  ["input", "sr", "state"],
  ["c", "h", "input", "sr"],
];

/** Voice activity detection by Silero, versions 4 to 6. */
function isSilero({ graph }: OnnxModel): boolean {
  const names = graph.inputs.map(({ name }) => name).toSorted();
  return sileroInputs.some((wanted) => wanted.join() === names.join());
}
