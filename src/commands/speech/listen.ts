/**
 * Sound that comes → text, with any model that transcribes: what was said since the last pause is heard again and again
 * as it grows, and settled once a pause lies behind it.
 */
import type { TranscriptSegment } from "../../spec/perform.ts";

export const listenRate = 16_000;

/** Text that may still change, or that will not any more. */
export interface Heard extends TranscriptSegment {
  readonly settled: boolean;
}

export interface ListenOptions {
  /** What is said in samples at `listenRate`; times are from their begin. */
  readonly hear: (samples: Float32Array) => Promise<readonly TranscriptSegment[]>;
  readonly onText: (heard: Heard) => void;
}

export interface Listener {
  push(samples: Float32Array): void;
  /** Nothing more comes. */
  end(): void;
  /** Resolves when all that came is settled; rejects with what went wrong. Gives the seconds that were heard. */
  readonly done: Promise<number>;
}

/** Seconds: new sound that is worth another look, and the silence behind an utterance that makes it settled. */
const step = 0.5;
const pause = 0.7;
/** Most that is heard at a time. Models of speech take 30 seconds. */
const most = 28;
/** Kept before what comes next: the begin of a word is quiet. */
const before = 1;
/** Too short to say anything. */
const least = 0.2;

export function createListener({ hear, onText }: ListenOptions): Listener {
  const sound = new GrowingSound();
  /** Samples that were there when it was heard last. */
  let seen = 0;
  const work = async (): Promise<number> => {
    for (;;) {
      await sound.reaches(seen + step * listenRate);
      const window = sound.first(most * listenRate);
      const isLast = sound.ended && window.length === sound.length;
      seen = sound.count;
      if (window.length >= least * listenRate) {
        const place = { begin: sound.begin / listenRate, seconds: window.length / listenRate, isLast };
        const drop = settle(await hear(window), place, onText);
        sound.drop(Math.round(drop * listenRate));
        // A full window leaves more behind it, which need not wait for new sound.
        if (window.length === most * listenRate) seen = 0;
      }
      if (isLast) return sound.count / listenRate;
    }
  };
  return { push: (samples) => sound.push(samples), end: () => sound.end(), done: work() };
}

interface Place {
  /** Seconds of the whole sound before the window, and of the window. */
  readonly begin: number;
  readonly seconds: number;
  readonly isLast: boolean;
}

/** Tells what is heard; returns how many seconds of the window need not be heard again. */
function settle(segments: readonly TranscriptSegment[], place: Place, onText: (heard: Heard) => void): number {
  const { begin, seconds, isLast } = place;
  const count = isLast ? segments.length : countSettled(segments, seconds);
  for (const segment of segments.slice(0, count)) onText({ ...shift(segment, begin), settled: true });
  const rest = segments.slice(count);
  const first = rest[0];
  if (first) {
    const text = rest.map((segment) => segment.text.trim()).join(" ");
    onText({ text, start: begin + first.start, end: begin + (rest.at(-1)?.end ?? first.end), settled: false });
  }
  const settledEnd = segments[count - 1]?.end ?? 0;
  return Math.max(settledEnd, (first?.start ?? seconds) - before);
}

function countSettled(segments: readonly TranscriptSegment[], seconds: number): number {
  const count = segments.findLastIndex(({ end }) => end <= seconds - pause) + 1;
  // Who speaks on without a pause is cut.
  return seconds >= most ? Math.max(count, segments.length - 1, Math.min(1, segments.length)) : count;
}

function shift({ text, start, end, words }: TranscriptSegment, by: number): TranscriptSegment {
  const moved = words?.map((word) => ({ ...word, start: word.start + by, end: word.end + by }));
  return { text: text.trim(), start: start + by, end: end + by, ...(moved && { words: moved }) };
}

/** Sound that comes at the end and is dropped at the begin. */
class GrowingSound {
  #held = new Float32Array(listenRate);
  #length = 0;
  #begin = 0;
  #ended = false;
  #wake = (): void => {};

  push(samples: Float32Array): void {
    const needed = this.#length + samples.length;
    if (needed > this.#held.length) {
      const larger = new Float32Array(2 * needed);
      larger.set(this.#held.subarray(0, this.#length));
      this.#held = larger;
    }
    this.#held.set(samples, this.#length);
    this.#length = needed;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  get ended(): boolean {
    return this.#ended;
  }
  /** Samples that ever came, that were dropped, and that are held. */
  get count(): number {
    return this.#begin + this.#length;
  }
  get begin(): number {
    return this.#begin;
  }
  get length(): number {
    return this.#length;
  }

  first(most: number): Float32Array {
    return this.#held.slice(0, Math.min(most, this.#length));
  }

  drop(count: number): void {
    const dropped = Math.max(0, Math.min(count, this.#length));
    this.#held.copyWithin(0, dropped, this.#length);
    this.#length -= dropped;
    this.#begin += dropped;
  }

  /** Resolves when so many have come in all, or no more come. */
  async reaches(count: number): Promise<void> {
    while (!this.#ended && this.count < count) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
