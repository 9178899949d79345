/** AAC-LC as an ADTS stream (ISO/IEC 14496-3), decoded by aac.js frame by frame. */
import { badSound } from "../../formats/audio/fault.ts";
import type { DecodedSound, SoundDecoder } from "../../formats/audio/read.ts";

/** The parts of `av` and `aac` that are used. They have no types of their own. */
export interface AacFramework {
  readonly Buffer: new (bytes: Uint8Array) => object;
  readonly Stream: { readonly fromBuffer: (buffer: object) => object };
  readonly Bitstream: new (stream: object) => object;
}
interface FrameDecoder {
  bitstream: object;
  /** Takes an AudioSpecificConfig. */
  setCookie(buffer: object): void;
  /** One frame, its channels interleaved. */
  readChunk(): Float32Array;
}
export type AacFrameDecoder = new (demuxer: { on: () => void }, format: object) => FrameDecoder;

const headerBytes = 7;
const rates = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];

interface Header {
  /** Of the frame, header and all. */
  readonly length: number;
  readonly channels: number;
  readonly sampleRate: number;
  /** Bytes of an AudioSpecificConfig. */
  readonly config: Uint8Array;
}

/** `framework`: the module `av`; `Decoder`: the module `aac`. */
export function createAacDecoder({
  framework,
  Decoder,
}: {
  readonly framework: AacFramework;
  readonly Decoder: AacFrameDecoder;
}): SoundDecoder {
  let held: Uint8Array = new Uint8Array(0);
  let open: { readonly decoder: FrameDecoder; readonly key: string } | undefined;
  const decodeFrame = (frame: Uint8Array, { config, channels }: Header): Float32Array => {
    const key = config.join();
    if (open?.key !== key) {
      const decoder = new Decoder({ on: () => {} }, {});
      decoder.setCookie(new framework.Buffer(config));
      open = { decoder, key };
    }
    open.decoder.bitstream = new framework.Bitstream(framework.Stream.fromBuffer(new framework.Buffer(frame)));
    const samples = open.decoder.readChunk();
    if (samples.length % channels !== 0) throw new Error("a frame is not whole");
    return samples;
  };
  return {
    decode: async (bytes) => {
      const { frames, rest } = splitFrames(Buffer.concat([held, bytes]));
      held = rest;
      try {
        return await Promise.resolve(toSound(frames, decodeFrame));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw badSound(`The AAC sound cannot be decoded: ${reason}.`, "Convert it to WAV, MP3 or FLAC.");
      }
    },
    flush: async () => {
      if (held.length > 0) throw badSound("The AAC sound ends within a frame.", "Send the whole file.");
      return await Promise.resolve({ channels: [], sampleRate: 0 });
    },
    dispose: () => void (open = undefined),
  };
}

interface Frame {
  readonly bytes: Uint8Array;
  readonly header: Header;
}

function splitFrames(bytes: Uint8Array): { readonly frames: readonly Frame[]; readonly rest: Uint8Array } {
  const frames: Frame[] = [];
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    const header = readHeader(bytes.subarray(at));
    if (at + header.length > bytes.length) break;
    frames.push({ bytes: bytes.subarray(at, at + header.length), header });
    at += header.length;
  }
  return { frames, rest: bytes.slice(at) };
}

function readHeader(bytes: Uint8Array): Header {
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0, sixth = 0, last = 0] = bytes;
  const length = ((fourth & 3) << 11) | (fifth << 3) | (sixth >> 5);
  const rateIndex = (third >> 2) & 15;
  const channels = ((third & 1) << 2) | (fourth >> 6);
  const sampleRate = rates[rateIndex];
  const isSync = first === 0xff && (second & 0xf6) === 0xf0;
  if (!isSync || sampleRate === undefined || length < headerBytes) {
    throw badSound("The AAC sound is damaged: a frame does not begin where the one before it ends.");
  }
  if ((last & 3) !== 0) throw badSound("The AAC sound has several blocks in a frame, which is not read.");
  if (channels === 0) throw badSound("The AAC sound does not say its channels.");
  const type = (third >> 6) + 1;
  const config = Uint8Array.of((type << 3) | (rateIndex >> 1), ((rateIndex & 1) << 7) | (channels << 3));
  return { length, channels, sampleRate, config };
}

/** All frames of a piece have the same form: a stream that changes it is refused. */
function toSound(
  frames: readonly Frame[],
  decodeFrame: (frame: Uint8Array, header: Header) => Float32Array,
): DecodedSound {
  const header = frames[0]?.header;
  if (!header) return { channels: [], sampleRate: 0 };
  const { sampleRate, channels: count } = header;
  const pieces = frames.map(({ bytes, header: own }) => {
    if (own.sampleRate !== sampleRate || own.channels !== count) throw new Error("its form changes in the middle");
    return decodeFrame(bytes, own);
  });
  const length = pieces.reduce((sum, piece) => sum + piece.length / count, 0);
  const channels = Array.from({ length: count }, () => new Float32Array(length));
  let at = 0;
  for (const piece of pieces) {
    for (let index = 0; index < piece.length; index++) channels[index % count]![at + Math.floor(index / count)] = piece[index]!;
    at += piece.length / count;
  }
  return { channels, sampleRate };
}
