/** Sound that comes while it is made: WAV whose size nobody knows yet, or bare samples of 16 bits and one channel. */
import { badSound } from "./fault.ts";
import { createResampler } from "./resample.ts";
import type { Resampler } from "./resample.ts";
import { mixFrames } from "./samples.ts";
import type { WavHeader } from "./wav.ts";
import { readWavHeader } from "./wav.ts";

/** Bytes in pieces of any size → samples of one channel, as far as they are known. */
export interface LiveSound {
  push(bytes: Uint8Array): Float32Array;
  /** What is left when no more bytes come. */
  flush(): Float32Array;
}

export interface LiveSoundOptions {
  /** Of the samples that come out. */
  readonly sampleRate: number;
  /** Of bare samples: a WAV header says its own. */
  readonly rawRate: number;
}

/** A header is shorter, whatever else a program writes into it. */
const mostHeadBytes = 1024 ** 2;

type Header = Pick<WavHeader, "encoding" | "bits" | "channels" | "sampleRate" | "frames" | "dataOffset">;

/** Throws `bad_request` for a damaged header, and for compressed sound. */
export function createLiveSound({ sampleRate, rawRate }: LiveSoundOptions): LiveSound {
  const raw: Header = { encoding: "pcm", bits: 16, channels: 1, sampleRate: rawRate, frames: Infinity, dataOffset: 0 };
  let held: Uint8Array = new Uint8Array(0);
  let stream: { readonly header: Header; readonly resampler: Resampler; left: number } | undefined;
  return {
    push(bytes) {
      held = join(held, bytes);
      if (!stream) {
        const header = readHead(held, raw);
        if (!header) return new Float32Array(0);
        held = held.subarray(header.dataOffset);
        stream = {
          header,
          resampler: createResampler({ from: header.sampleRate, to: sampleRate }),
          left: header.frames,
        };
      }
      const { header, resampler } = stream;
      const frameBytes = (header.channels * header.bits) / 8;
      const frames = Math.min(stream.left, Math.floor(held.length / frameBytes));
      const samples = mixFrames(held.subarray(0, frames * frameBytes), header);
      stream.left -= frames;
      // What follows the samples of a WAV file is no sound.
      held = stream.left === 0 ? new Uint8Array(0) : held.slice(frames * frameBytes);
      return resampler.push(samples);
    },
    flush() {
      if (!stream && held.length > 0) throw badSound(`The sound ends after ${held.length} bytes, within its header.`);
      return stream?.resampler.flush() ?? new Float32Array(0);
    },
  };
}

/** Undefined: more bytes are needed to tell. */
function readHead(bytes: Uint8Array, raw: Header): Header | undefined {
  if (bytes.length < 12) return undefined;
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  const packed = /^(fLaC|OggS|ID3|....ftyp)/s.exec(start);
  if (packed) {
    throw badSound("Live sound is WAV or bare samples; this is a compressed file.", "Leave --live out for files.");
  }
  if (!/^(RIFF|RF64|RIFX)....WAVE/s.test(start)) return raw;
  let isShort = false;
  const read = (offset: number, target: Uint8Array): void => {
    isShort ||= offset + target.length > bytes.length;
    target.set(bytes.subarray(offset, offset + target.length));
    if (isShort) throw new RangeError("more bytes are needed");
  };
  try {
    // As long as can be: how much comes nobody knows.
    return readWavHeader({ sizeBytes: Number.MAX_SAFE_INTEGER, read });
  } catch (error) {
    if (!isShort) throw error;
    if (bytes.length > mostHeadBytes) throw badSound(`The WAV header has more than ${mostHeadBytes} bytes.`);
    return undefined;
  }
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
