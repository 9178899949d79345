/** What AAC in an MP4 file is: `esds` of ISO/IEC 14496-14; the configuration and ADTS of 14496-3. */
import type { ByteSource } from "../../protobuf/source.ts";
import { badSound } from "../fault.ts";
import type { Box } from "./boxes.ts";
import { boxes, damaged, find, view } from "./boxes.ts";

export interface AacConfig {
  /** Of MPEG-4's audio object types, less one, as ADTS has it. */
  readonly profile: number;
  readonly rateIndex: number;
  readonly channels: number;
}

/** Bytes of the header. */
export const headerBytes = 7;
/** ADTS has 13 bits for the length of a frame with its header. */
export const mostFrameBytes: number = 0x1fff - headerBytes;
export const convert = "Convert it to WAV, MP3 or FLAC.";
const lowComplexity = 2;
/** Their second layers only add to a sound that is whole without: high frequencies, and the width of stereo. */
const layered = new Set([5, 29]);

/** From the box `stsd`. */
export function readConfig(source: ByteSource, description: Box): AacConfig {
  const [entry] = boxes(source, { ...description, start: description.start + 8 });
  if (!entry) throw damaged("its box `stsd` is empty");
  if (entry.type !== "mp4a") {
    const name = entry.type === "alac" ? "ALAC" : `"${entry.type.replace(/[^\x20-\x7e]/g, "?")}"`;
    throw badSound(`The sound of the MP4 file is ${name}; AAC is read.`, convert);
  }
  const version = view(source, entry.start + 8, 2).getUint16(0);
  const inner = { ...entry, start: entry.start + 28 + ([0, 16, 36][version] ?? 0) };
  const wave = find(source, inner, "wave");
  const box = find(source, inner, "esds") ?? (wave && find(source, wave, "esds"));
  if (!box) throw damaged("its sound has no box `esds`");
  const bytes = new Uint8Array(Math.min(box.end - box.start, 1024));
  source.read(box.start, bytes);
  return parseConfig(specificInfo(bytes.subarray(4)));
}

/** The descriptor 5 in the descriptor 4 in the descriptor 3. */
function specificInfo(bytes: Uint8Array): Uint8Array {
  const top = descriptor(bytes, 3);
  const flags = top[2] ?? 0;
  const url = (flags & 0x40) === 0 ? 0 : 1 + (top[3 + ((flags & 0x80) === 0 ? 0 : 2)] ?? 0);
  const skipped = 3 + ((flags & 0x80) === 0 ? 0 : 2) + url + ((flags & 0x20) === 0 ? 0 : 2);
  const decoder = descriptor(top.subarray(skipped), 4);
  return descriptor(decoder.subarray(13), 5);
}

/** What is in a descriptor: its length has seven bits a byte. */
function descriptor(bytes: Uint8Array, tag: number): Uint8Array {
  if (bytes[0] !== tag) throw damaged(`its box \`esds\` has no descriptor ${tag}`);
  let at = 1;
  let length = 0;
  for (let more = true; more && at < 5; at++) {
    const byte = bytes[at] ?? 0;
    length = length * 128 + (byte & 0x7f);
    more = byte > 0x7f;
  }
  return bytes.subarray(at, at + length);
}

/** Parses an AudioSpecificConfig. Of layered AAC the layer is taken that a decoder of AAC-LC can play. */
export function parseConfig(bytes: Uint8Array): AacConfig {
  const bits = bitReader(bytes);
  let type = objectType(bits);
  let rateIndex = bits(4);
  if (rateIndex === 15) bits(24);
  const channels = bits(4);
  if (layered.has(type)) {
    if (bits(4) === 15) bits(24);
    type = objectType(bits);
  }
  if (type !== lowComplexity) throw badSound(`The sound is AAC of the type ${type}; AAC-LC is read.`, convert);
  if (rateIndex > 12) throw badSound("The sound is AAC with a sample rate that no table has.", convert);
  if (channels < 1 || channels > 7) throw badSound("The sound is AAC that does not say its channels.", convert);
  if (bits(1) === 1) throw badSound("The sound is AAC with frames of 960 samples, which are not read.", convert);
  return { profile: type - 1, rateIndex, channels };
}

function objectType(bits: (count: number) => number): number {
  const type = bits(5);
  return type === 31 ? 32 + bits(6) : type;
}

function bitReader(bytes: Uint8Array): (count: number) => number {
  let at = 0;
  return (count) => {
    let value = 0;
    for (let index = 0; index < count; index++, at++) {
      value = value * 2 + (((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
    }
    return value;
  };
}

/** What stands before each frame in an ADTS stream. `size`: bytes of the frame. */
export function adtsHeader({ profile, rateIndex, channels }: AacConfig, size: number): Uint8Array {
  const length = size + headerBytes;
  return Uint8Array.of(
    0xff,
    0xf1,
    (profile << 6) | (rateIndex << 2) | (channels >> 2),
    ((channels & 3) << 6) | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
  );
}

