/** A model of speech → the settings that sherpa-onnx takes. */
import type { SpeechFolder } from "../../formats/speech/read.ts";
import type { TranscribeRequest } from "../../spec/perform.ts";

export const recognizerRate = 16_000;

/** What the model of voice activity looks at at a time. */
export const windowSamples = 512;

type Wish = Pick<TranscribeRequest, "language" | "translate">;

/** Of a model that wants the whole of an utterance. */
export function offlineConfig(folder: SpeechFolder, threads: number, wish: Wish = {}): object {
  return {
    featConfig: { sampleRate: recognizerRate, featureDim: featureCount(folder) },
    modelConfig: { ...offlineModel(folder, wish), tokens: folder.paths.tokens, ...common(threads) },
  };
}

function offlineModel({ kind, main, paths }: SpeechFolder, { language = "", translate = false }: Wish): object {
  const { model, encoder, decoder, joiner, preprocessor, uncachedDecoder, cachedDecoder } = paths;
  switch (kind) {
    case "whisper":
      return {
        whisper: { encoder, decoder, language, task: translate ? "translate" : "transcribe", tailPaddings: -1 },
      };
    case "moonshine":
      return { moonshine: { preprocessor, encoder, uncachedDecoder, cachedDecoder } };
    case "moonshine-merged":
      return { moonshine: { encoder, mergedDecoder: decoder } };
    case "canary": {
      const source = language === "" ? "en" : language;
      return { canary: { encoder, decoder, srcLang: source, tgtLang: translate ? "en" : source, usePnc: 1 } };
    }
    case "transducer":
      return { transducer: { encoder, decoder, joiner }, ...(isNemo(main) && { modelType: "nemo_transducer" }) };
    case "paraformer":
      return { paraformer: { model } };
    case "sense-voice":
      return { senseVoice: { model, language: language === "" ? "auto" : language, useInverseTextNormalization: 1 } };
    case "nemo-ctc":
      return { nemoCtc: { model } };
    case "zipformer-ctc":
      return { zipformerCtc: { model } };
    default:
      return { wenetCtc: { model } };
  }
}

/** Of a model that takes sound as it comes. It says itself where an utterance ends. */
export function onlineConfig(folder: SpeechFolder, threads: number): object {
  return {
    featConfig: { sampleRate: recognizerRate, featureDim: featureCount(folder) },
    modelConfig: { ...onlineModel(folder), tokens: folder.paths.tokens, ...common(threads) },
    decodingMethod: "greedy_search",
    enableEndpoint: true,
    rule1MinTrailingSilence: 2.4,
    rule2MinTrailingSilence: 1,
    rule3MinUtteranceLength: 20,
  };
}

function onlineModel({ kind, paths }: SpeechFolder): object {
  const { model, encoder, decoder, joiner } = paths;
  switch (kind) {
    case "streaming-transducer":
      return { transducer: { encoder, decoder, joiner } };
    case "streaming-paraformer":
      return { paraformer: { encoder, decoder } };
    case "streaming-nemo-ctc":
      return { nemoCtc: { model } };
    default:
      return { zipformer2Ctc: { model } };
  }
}

export function voiceConfig({ kind, paths }: SpeechFolder, threads: number): object {
  const { model, tokens, voices, data: dataDir = "", lexicon = "", vocoder } = paths;
  const shared = { tokens, dataDir, lexicon };
  const models = {
    kokoro: { kokoro: { model, voices, ...shared } },
    kitten: { kitten: { model, voices, tokens, dataDir } },
    matcha: { matcha: { acousticModel: model, vocoder, ...shared } },
    vits: { vits: { model, ...shared } },
  };
  const own = kind === "kokoro" || kind === "kitten" || kind === "matcha" ? models[kind] : models.vits;
  return { model: { ...own, ...common(threads) }, maxNumSentences: 1 };
}

export interface VadChoice {
  readonly model: string;
  readonly threshold: number;
  /** An utterance is cut before it gets longer. */
  readonly mostSeconds: number;
}

export function vadConfig({ model, threshold, mostSeconds }: VadChoice): object {
  return {
    sileroVad: {
      model,
      threshold,
      minSilenceDuration: 0.5,
      minSpeechDuration: 0.25,
      maxSpeechDuration: mostSeconds,
      windowSize: windowSamples,
    },
    sampleRate: recognizerRate,
    ...common(1),
  };
}

/** `speakers` absent: as many as there are different enough voices. */
export function diarizeConfig({ paths }: SpeechFolder, threads: number, speakers?: number): object {
  return {
    segmentation: { pyannote: { model: paths.segmentation }, ...common(threads) },
    embedding: { model: paths.embedding, ...common(threads) },
    clustering: { numClusters: speakers ?? -1, threshold: 0.5 },
    minDurationOn: 0.2,
    minDurationOff: 0.5,
  };
}

function isNemo({ metadata }: SpeechFolder["main"]): boolean {
  return metadata.get("model_type")?.startsWith("EncDec") === true;
}

function common(threads: number): object {
  return { numThreads: threads, provider: "cpu", debug: 0 };
}

/** NeMo's models say how many features they take; all others take 80. */
function featureCount({ main }: SpeechFolder): number {
  const count = Number(main.metadata.get("feat_dim") ?? main.metadata.get("n_mels"));
  return Number.isInteger(count) && count > 0 && count <= 512 ? count : 80;
}
