/** Where somebody speaks, by Silero's model of voice activity. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HearthError } from "../../error.ts";
import { readSound } from "../../formats/audio/read.ts";
import type { AudioInput } from "../../spec/media.ts";
import { recognizerRate, vadConfig, windowSamples, type VadChoice } from "./config.ts";
import type { SpeechContext, SpeechTasks } from "./context.ts";
import type { Vad } from "./sherpa.ts";

export interface Span {
  /** Seconds from the begin of the sound. */
  readonly start: number;
  readonly end: number;
  /** At `recognizerRate`. */
  readonly samples: Float32Array;
}

export interface SpanOptions extends Partial<Omit<VadChoice, "model">> {
  readonly signal?: AbortSignal | undefined;
}

/** Longer than the longest utterance: the native library keeps the sound of one until it ends. */
const bufferSeconds = 90;
const defaults = { threshold: 0.5, mostSeconds: 25 };
/** Samples of an utterance that are heard before and after what the model takes for it. */
const margins = { before: 0.3 * recognizerRate, after: 0.2 * recognizerRate };

/** Where the package of the model of voice activity has it. */
export function vadModel(pack: string): string {
  const path = join(pack, "node_modules", "@ricky0123", "vad-web", "dist", "silero_vad_v5.onnx");
  if (existsSync(path)) return path;
  throw new HearthError("engine_missing", "The pack speech has no model of voice activity.", {
    hint: "Install it anew with `hearth engines update speech`.",
  });
}

/** Utterances as they end; returns how many seconds the whole sound has. */
export async function* findSpans(
  { sherpa, vad: model, openDecoder }: SpeechContext,
  audio: AudioInput,
  { signal, threshold = defaults.threshold, mostSeconds = defaults.mostSeconds }: SpanOptions,
): AsyncGenerator<Span, number> {
  const vad = new sherpa.Vad(vadConfig({ model, threshold, mostSeconds }), bufferSeconds);
  const recent = createRecent(bufferSeconds * recognizerRate);
  const cutter = createCutter(vad, recent, Math.ceil(mostSeconds * 1.2) * recognizerRate);
  for await (const samples of readSound(audio, { sampleRate: recognizerRate, openDecoder, signal })) {
    recent.push(samples);
    // Silence that is no sound at all need not be looked at.
    if (!vad.isDetected() && isSilent(samples)) cutter.skip(samples.length);
    else listen(vad, samples);
    yield* cutter.take();
  }
  vad.flush();
  yield* cutter.take();
  return recent.count() / recognizerRate;
}

/** Hands over window by window: of what comes in one call the library decides only once whether it is speech. */
function listen(vad: Vad, samples: Float32Array): void {
  for (let start = 0; start < samples.length; start += windowSamples) {
    vad.acceptWaveform(samples.subarray(start, start + windowSamples));
  }
}

/** Below 80 dB under the loudest that can be. */
function isSilent(samples: Float32Array): boolean {
  return samples.every((value) => Math.abs(value) < 1e-4);
}

interface Cutter {
  /** So many samples were not handed to the model. */
  skip(count: number): void;
  /** The utterances that have ended. */
  take(): Generator<Span>;
}

/**
 * Utterances with a margin on both sides: the model notices a voice only when it is there, and the first sound of a word
 * is the one that tells it from others.
 */
function createCutter(vad: Vad, recent: Recent, most: number): Cutter {
  let skipped = 0;
  let ended = 0;
  return {
    skip(count) {
      skipped += count;
    },
    *take() {
      while (!vad.isEmpty()) {
        const { start, samples } = vad.front(false);
        vad.pop();
        const begin = Math.max(ended, skipped + start - margins.before);
        const end = Math.min(recent.count(), skipped + start + samples.length + margins.after);
        // The library tries to end an utterance in time; who speaks on and on is cut.
        for (let from = begin; from < end; from += most) {
          const to = Math.min(end, from + most);
          yield { start: from / recognizerRate, end: to / recognizerRate, samples: recent.slice(from, to) };
        }
        ended = Math.max(ended, end);
      }
    },
  };
}

interface Recent {
  push(samples: Float32Array): void;
  /** Samples that ever came. */
  count(): number;
  slice(from: number, to: number): Float32Array;
}

/** The last samples of a sound, found by their place in the whole. */
function createRecent(capacity: number): Recent {
  const ring = new Float32Array(capacity);
  let count = 0;
  return {
    push(samples) {
      for (const value of samples) ring[count++ % capacity] = value;
    },
    count: () => count,
    slice: (from, to) => Float32Array.from({ length: to - from }, (_, index) => ring[(from + index) % capacity] ?? 0),
  };
}

export function voiceTask(context: SpeechContext): SpeechTasks {
  return {
    async voice({ audio, threshold }, { signal }) {
      const found = findSpans(context, audio, { signal, ...(threshold !== undefined && { threshold }) });
      const spans: Omit<Span, "samples">[] = [];
      for (;;) {
        const next = await found.next();
        if (next.done === true) return { spans, seconds: next.value };
        spans.push({ start: next.value.start, end: next.value.end });
      }
    },
  };
}
