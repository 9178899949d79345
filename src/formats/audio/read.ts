/** Any sound that comes in → samples of one channel at the rate that a model wants, piece by piece. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { HearthError } from "../../error.ts";
import type { AudioInput } from "../../spec/media.ts";
import type { ByteSource } from "../protobuf/source.ts";
import { memorySource } from "../protobuf/source.ts";
import { detectSound, headBytes, type SoundFormat } from "./detect.ts";
import { badSound } from "./fault.ts";
import { createResampler } from "./resample.ts";
import { checkNumbers, mixChannels, mixFrames } from "./samples.ts";
import { readWavHeader } from "./wav.ts";

/** What one call of a decoder gives. No channels: nothing is ready yet. */
export interface DecodedSound {
  readonly channels: readonly Float32Array[];
  readonly sampleRate: number;
}

/** Decodes one compressed file that is handed to it in pieces. Throws `bad_request` for what cannot be decoded. */
export interface SoundDecoder {
  decode(bytes: Uint8Array): Promise<DecodedSound>;
  flush(): Promise<DecodedSound>;
  dispose(): void;
}

export interface ReadSoundOptions {
  readonly sampleRate: number;
  /** For all but WAV; it says by throwing that there is no decoder for a format. Absent: only WAV is read. */
  readonly openDecoder?: (format: Exclude<SoundFormat, "wav">) => Promise<SoundDecoder>;
  readonly signal?: AbortSignal | undefined;
}

interface Piece {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

/** Bytes of a compressed file, and samples of another, that are worked on at a time. */
const pieceBytes = 64 * 1024;
const leastRate = 1000;
const conversion = "`ffmpeg -i FILE speech.flac` makes one of most others, of the M4A files of phones too.";

/**
 * Holds a second or so of the sound at a time, whatever its length; between two pieces other work gets its turn. Throws
 * `bad_request` for sound that is empty, damaged or of an unknown kind.
 */
export async function* readSound(audio: AudioInput, options: ReadSoundOptions): AsyncGenerator<Float32Array> {
  const { sampleRate, signal } = options;
  let resampler: { readonly from: number; readonly run: ReturnType<typeof createResampler> } | undefined;
  let count = 0;
  for await (const piece of readPieces(audio, options)) {
    signal?.throwIfAborted();
    if (piece.samples.length === 0) continue;
    resampler ??= { from: piece.sampleRate, run: createResampler({ from: piece.sampleRate, to: sampleRate }) };
    if (piece.sampleRate !== resampler.from) {
      throw badSound(`The sample rate changes from ${resampler.from} to ${piece.sampleRate} Hz in the middle.`);
    }
    count += piece.samples.length;
    const ready = resampler.run.push(piece.samples);
    if (ready.length > 0) yield ready;
    await setImmediate();
  }
  if (count === 0 || !resampler) throw badSound("The sound is empty: it has no samples.");
  const rest = resampler.run.flush();
  if (rest.length > 0) yield rest;
}

async function* readPieces(audio: AudioInput, options: ReadSoundOptions): AsyncGenerator<Piece> {
  if ("samples" in audio) {
    yield* samplePieces(audio);
    return;
  }
  const { source, close } = openSource(audio);
  try {
    const format = findFormat(source);
    if (format === "wav") yield* wavPieces(source);
    else yield* decodedPieces(source, format, options);
  } finally {
    close();
  }
}

function* samplePieces({ samples, sampleRate }: Piece): Generator<Piece> {
  if (!Number.isInteger(sampleRate) || sampleRate < leastRate) throw badSound(`The sample rate is ${sampleRate} Hz.`);
  for (let start = 0; start < samples.length; start += sampleRate) {
    yield { samples: checkNumbers(samples.subarray(start, start + sampleRate)), sampleRate };
  }
}

function findFormat(source: ByteSource): SoundFormat {
  if (source.sizeBytes === 0) throw badSound("The sound is empty: it has no bytes.");
  const head = new Uint8Array(Math.min(headBytes, source.sizeBytes));
  source.read(0, head);
  const guess = detectSound(head);
  if (guess && "format" in guess) return guess.format;
  const what = guess ? guess.what : "no sound that hearth knows";
  throw badSound(`The file is ${what}.`, `Send WAV, MP3, FLAC, or Ogg with Opus or Vorbis. ${conversion}`);
}

function* wavPieces(source: ByteSource): Generator<Piece> {
  const header = readWavHeader(source);
  const { sampleRate, frames, dataOffset, channels, bits } = header;
  const frameBytes = (channels * bits) / 8;
  for (let frame = 0; frame < frames; frame += sampleRate) {
    const bytes = new Uint8Array(Math.min(sampleRate, frames - frame) * frameBytes);
    source.read(dataOffset + frame * frameBytes, bytes);
    yield { samples: mixFrames(bytes, header), sampleRate };
  }
}

async function* decodedPieces(
  source: ByteSource,
  format: Exclude<SoundFormat, "wav">,
  { openDecoder }: ReadSoundOptions,
): AsyncGenerator<Piece> {
  if (!openDecoder) throw badSound(`The file is ${format.toUpperCase()}; only WAV is read here.`, "Convert it to WAV.");
  const decoder = await openDecoder(format);
  try {
    for (let offset = 0; offset < source.sizeBytes; offset += pieceBytes) {
      const bytes = new Uint8Array(Math.min(pieceBytes, source.sizeBytes - offset));
      source.read(offset, bytes);
      yield toPiece(await decoder.decode(bytes));
    }
    yield toPiece(await decoder.flush());
  } finally {
    decoder.dispose();
  }
}

function toPiece({ channels, sampleRate }: DecodedSound): Piece {
  return { samples: checkNumbers(mixChannels(channels)), sampleRate };
}

interface OpenSource {
  readonly source: ByteSource;
  readonly close: () => void;
}

function openSource(audio: { readonly bytes: Uint8Array } | { readonly path: string }): OpenSource {
  if ("bytes" in audio) return { source: memorySource(audio.bytes), close: () => {} };
  const { path } = audio;
  // Asked first: to open a named pipe would wait for a writer.
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new HearthError("not_found", `There is no file ${path}.`, { hint: "Check the path." });
  if (!found.isFile()) throw badSound(`${path} is not a file.`);
  const descriptor = openSync(path, "r");
  const sizeBytes = fstatSync(descriptor).size;
  return {
    source: { sizeBytes, read: (offset, target) => readFully(descriptor, offset, target) },
    close: () => closeSync(descriptor),
  };
}

function readFully(descriptor: number, offset: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(descriptor, target, done, target.length - done, offset + done);
    if (count === 0) throw badSound(`The file ends at byte ${offset + done}, earlier than when it was opened.`);
    done += count;
  }
}
