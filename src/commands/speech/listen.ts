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
  const sound = createGrowing();
  /** Samples that were there when it was heard last. */
  let seen = 0;
  const work = async (): Promise<number> => {
    for (;;) {
      await sound.reaches(seen + step * listenRate);
      const window = sound.first(most * listenRate);
      const isLast = sound.ended() && window.length === sound.length();
      seen = sound.count();
      if (window.length >= least * listenRate) {
        const place = { begin: sound.begin() / listenRate, seconds: window.length / listenRate, isLast };
        const drop = settle(await hear(window), place, onText);
        sound.drop(Math.round(drop * listenRate));
        // A full window leaves more behind it, which need not wait for new sound.
        if (window.length === most * listenRate) seen = 0;
      }
      if (isLast) return sound.count() / listenRate;
    }
  };
  return { push: sound.push, end: sound.end, done: work() };
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

interface Growing {
  push(samples: Float32Array): void;
  end(): void;
  ended(): boolean;
  /** Samples that ever came, that were dropped, and that are held. */
  count(): number;
  begin(): number;
  length(): number;
  first(most: number): Float32Array;
  drop(count: number): void;
  /** Resolves when so many have come in all, or no more come. */
  reaches(count: number): Promise<void>;
}

function createGrowing(): Growing {
  let held = new Float32Array(listenRate);
  let length = 0;
  let begin = 0;
  let isEnded = false;
  let wake = (): void => {};
  return {
    push(samples) {
      if (length + samples.length > held.length) {
        const larger = new Float32Array(2 * (length + samples.length));
        larger.set(held.subarray(0, length));
        held = larger;
      }
      held.set(samples, length);
      length += samples.length;
      wake();
    },
    end() {
      isEnded = true;
      wake();
    },
    ended: () => isEnded,
    count: () => begin + length,
    begin: () => begin,
    length: () => length,
    first: (many) => held.slice(0, Math.min(many, length)),
    drop(count) {
      const dropped = Math.max(0, Math.min(count, length));
      held.copyWithin(0, dropped, length);
      length -= dropped;
      begin += dropped;
    },
    async reaches(count) {
      while (!isEnded && begin + length < count) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}
