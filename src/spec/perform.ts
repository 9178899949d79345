/**
 * Tasks of models that are no language models: what goes in and what comes out of each. One engine call, `perform`, runs
 * them all; a task that gives its result bit by bit hands out parts.
 */
import type { AudioInput, Box, ImageInput, ImageOutput, Point, Tensor, TensorInfo } from "./media.ts";

export interface Label {
  readonly label: string;
  /** 0 to 1. */
  readonly score: number;
}

/** Texts, pictures or sounds; with `labels` of one's own, where the model compares them with its input (zero-shot). */
export interface ClassifyRequest {
  readonly texts?: readonly string[];
  readonly images?: readonly ImageInput[];
  readonly sounds?: readonly AudioInput[];
  readonly labels?: readonly string[];
  /** Sentence that a label of one's own stands in, at `{}`. */
  readonly hypothesis?: string;
  /** Labels reported of each input. Default 5. */
  readonly topK?: number;
}
export interface ClassifyResult {
  /** For each input its labels, the likeliest first. */
  readonly labels: readonly (readonly Label[])[];
}

export interface Entity extends Label {
  readonly text: string;
  /** Place in the text, UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

export interface ImageRequest {
  readonly image: ImageInput;
}

/** What a model finds can be drawn over the picture it was found in. */
export interface DrawRequest extends ImageRequest {
  readonly draw?: boolean;
}
export interface Drawing {
  /** Where the request asked for it. */
  readonly drawn?: ImageOutput;
}

export interface DetectRequest extends DrawRequest {
  /** Least score that is reported. Default 0.5 (0.25 for models that are scored low). */
  readonly threshold?: number;
  /** Most objects that are reported. Default 100. */
  readonly limit?: number;
  /** What to look for, where the model takes words. */
  readonly labels?: readonly string[];
}
export interface DetectedObject extends Label {
  readonly box: Box;
}

/** Coverage of each pixel, 0 to 255, row-major, as large as the picture that came in. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
export interface Segment extends Label {
  readonly mask: Mask;
}

export interface Keypoint extends Point {
  readonly name: string;
  /** Distance from the middle of the body in the unit of x, where the model gives it. */
  readonly z?: number;
  readonly score: number;
}
export interface Figure {
  readonly box: Box;
  readonly score: number;
  /** e.g. `left` or `right` for a hand. */
  readonly label?: string;
  readonly keypoints: readonly Keypoint[];
  /** Pairs of indices of keypoints that a drawing joins. */
  readonly lines: readonly (readonly [number, number])[];
}

export interface TextLine {
  readonly text: string;
  readonly score: number;
  /** Four corners, from the top left clockwise. */
  readonly corners: readonly Point[];
}

export interface TranscribeRequest {
  readonly audio: AudioInput;
  /** ISO 639-1, e.g. `en`. Absent: the model finds out. */
  readonly language?: string;
  /** English, whatever was spoken. */
  readonly translate?: boolean;
  /** Times of words besides those of segments, where the model knows them. */
  readonly words?: boolean;
  /** What was said before; guides spelling. */
  readonly prompt?: string;
  readonly temperature?: number;
}
export interface TimedText {
  readonly text: string;
  /** Seconds from the begin of the sound. */
  readonly start: number;
  readonly end: number;
}
export interface TranscriptSegment extends TimedText {
  readonly words?: readonly TimedText[];
}
export interface TranscribeResult {
  readonly text: string;
  readonly language?: string;
  readonly seconds: number;
  readonly segments: readonly TranscriptSegment[];
}

export interface SpeakRequest {
  readonly text: string;
  /** A name of `SpeakResult.voices`. Absent: the first. */
  readonly voice?: string;
  /** 0.25 to 4; 1 is as the model speaks. */
  readonly speed?: number;
}
/** Samples from -1 to 1 of one channel. */
export interface AudioPart {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}
export interface SpeakResult {
  readonly sampleRate: number;
  readonly seconds: number;
  readonly voices: readonly string[];
}

export interface SpeakerTurn {
  readonly speaker: number;
  readonly start: number;
  readonly end: number;
}

export interface InferRequest {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly signature?: string;
  /** Names of the outputs that are wanted. Absent: all. */
  readonly outputs?: readonly string[];
}

/** Task → request, result, and the parts that it hands out before its result. */
export interface Tasks {
  readonly infer: {
    readonly request: InferRequest;
    readonly result: { readonly outputs: Readonly<Record<string, Tensor>> };
    readonly part: never;
  };
  readonly "embed-image": {
    readonly request: { readonly images: readonly ImageInput[]; readonly texts?: readonly string[] };
    readonly result: { readonly vectors: readonly Float32Array[]; readonly textVectors: readonly Float32Array[] };
    readonly part: never;
  };
  readonly classify: { readonly request: ClassifyRequest; readonly result: ClassifyResult; readonly part: never };
  readonly tokens: {
    readonly request: { readonly texts: readonly string[] };
    readonly result: { readonly entities: readonly (readonly Entity[])[] };
    readonly part: never;
  };
  readonly detect: {
    readonly request: DetectRequest;
    readonly result: Drawing & { readonly objects: readonly DetectedObject[] };
    readonly part: never;
  };
  readonly segment: {
    readonly request: DrawRequest & { readonly threshold?: number };
    readonly result: Drawing & { readonly segments: readonly Segment[] };
    readonly part: never;
  };
  readonly depth: {
    readonly request: DrawRequest;
    /** Nearness of each pixel as the model gives it, row-major; greater is nearer. */
    readonly result: Drawing & { readonly width: number; readonly height: number; readonly depth: Float32Array };
    readonly part: never;
  };
  readonly pose: {
    readonly request: DetectRequest;
    readonly result: Drawing & { readonly figures: readonly Figure[] };
    readonly part: never;
  };
  readonly ocr: {
    readonly request: DrawRequest & { readonly threshold?: number };
    readonly result: Drawing & { readonly lines: readonly TextLine[]; readonly text: string };
    readonly part: never;
  };
  readonly caption: {
    readonly request: ImageRequest & { readonly prompt?: string; readonly maxTokens?: number };
    readonly result: { readonly text: string };
    readonly part: { readonly text: string };
  };
  readonly "remove-background": {
    readonly request: ImageRequest;
    readonly result: ImageOutput & { readonly mask: Mask };
    readonly part: never;
  };
  readonly upscale: { readonly request: ImageRequest; readonly result: ImageOutput; readonly part: never };
  readonly transcribe: {
    readonly request: TranscribeRequest;
    readonly result: TranscribeResult;
    readonly part: TranscriptSegment;
  };
  readonly translate: {
    readonly request: { readonly text: string; readonly from?: string; readonly to?: string };
    readonly result: { readonly text: string };
    readonly part: { readonly text: string };
  };
  readonly speak: { readonly request: SpeakRequest; readonly result: SpeakResult; readonly part: AudioPart };
  readonly diarize: {
    readonly request: { readonly audio: AudioInput; readonly speakers?: number };
    readonly result: { readonly turns: readonly SpeakerTurn[]; readonly seconds: number };
    readonly part: never;
  };
  /** Where somebody speaks. */
  readonly voice: {
    readonly request: { readonly audio: AudioInput; readonly threshold?: number };
    readonly result: {
      readonly spans: readonly { readonly start: number; readonly end: number }[];
      readonly seconds: number;
    };
    readonly part: never;
  };
}
export type TaskName = keyof Tasks;

/** Runs one task. Throws `bad_request` for input it cannot use, `aborted` soon after the signal. */
export type Perform = <Name extends TaskName>(
  task: Name,
  request: Tasks[Name]["request"],
  options?: PerformOptions<Name>,
) => Promise<Tasks[Name]["result"]>;

export interface PerformOptions<Name extends TaskName> {
  readonly signal?: AbortSignal;
  /** Called in order, before the result comes. */
  readonly onPart?: (part: Tasks[Name]["part"]) => void;
}

/** What a model says of itself before it is loaded: what it does, and what goes in and out. */
export interface Signature {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}
