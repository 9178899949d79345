/** The part of sherpa-onnx-node that is used. It has no types of its own. */
import { createRequire } from "node:module";
import { join } from "node:path";

/** Samples from -1 to 1 of one channel. */
export interface Waveform {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

export interface OfflineStream {
  acceptWaveform(wave: Waveform): void;
}

export interface RecognizerResult {
  readonly text: string;
  /** e.g. `en`, or `<|en|>`; "" where the model does not tell. */
  readonly lang?: string;
  readonly tokens?: readonly string[];
  /** Begin of each token in seconds; empty where the model does not tell. */
  readonly timestamps?: readonly number[];
  readonly durations?: readonly number[];
}

export interface OfflineRecognizer {
  createStream(): OfflineStream;
  decodeAsync(stream: OfflineStream): Promise<RecognizerResult>;
  setConfig(config: object): void;
}

export interface OnlineStream extends OfflineStream {
  inputFinished(): void;
}

export interface OnlineRecognizer {
  createStream(): OnlineStream;
  isReady(stream: OnlineStream): boolean;
  decode(stream: OnlineStream): void;
  isEndpoint(stream: OnlineStream): boolean;
  reset(stream: OnlineStream): void;
  getResult(stream: OnlineStream): RecognizerResult & { readonly start_time?: number };
}

export interface OfflineTts {
  readonly numSpeakers: number;
  readonly sampleRate: number;
  generateAsync(request: TtsRequest): Promise<Waveform>;
}
export interface TtsRequest {
  readonly text: string;
  readonly sid: number;
  readonly speed: number;
  /** false: the samples are copied into memory of V8. */
  readonly enableExternalBuffer: false;
}

export interface Vad {
  acceptWaveform(samples: Float32Array): void;
  isEmpty(): boolean;
  /** Whether somebody speaks just now. */
  isDetected(): boolean;
  /** `start`: index of the first sample since the first one that came. */
  front(enableExternalBuffer: false): { readonly start: number; readonly samples: Float32Array };
  pop(): void;
  flush(): void;
}

export interface SpeakerDiarization {
  readonly sampleRate: number;
  process(samples: Float32Array): readonly { readonly start: number; readonly end: number; readonly speaker: number }[];
  setConfig(config: object): void;
}

export interface Sherpa {
  readonly OfflineRecognizer: new (config: object) => OfflineRecognizer;
  readonly OnlineRecognizer: new (config: object) => OnlineRecognizer;
  readonly OfflineTts: new (config: object) => OfflineTts;
  readonly Vad: new (config: object, bufferSeconds: number) => Vad;
  readonly OfflineSpeakerDiarization: new (config: object) => SpeakerDiarization;
}

/** `pack`: the folder whose `node_modules` have it. */
export function loadSherpa(pack: string): Sherpa {
  return createRequire(join(pack, "package.json"))("sherpa-onnx-node") as Sherpa;
}
