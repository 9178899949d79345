/**
 * WAV: RIFF chunks with samples as they are. Format: Microsoft and IBM, "Multimedia Programming Interface and Data
 * Specifications 1.0", 1991; WAVEFORMATEXTENSIBLE; RF64 of EBU Tech 3306 for files above 4 GiB.
 */
import type { ByteSource } from "../protobuf/source.ts";
import { badSound } from "./fault.ts";

export type WavEncoding = "pcm" | "float" | "a-law" | "mu-law";

export interface WavHeader {
  readonly encoding: WavEncoding;
  /** Of one sample as it is stored. */
  readonly bits: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly dataOffset: number;
  /** Samples of each channel. */
  readonly frames: number;
}

interface Chunk {
  readonly id: string;
  readonly offset: number;
  readonly size: number;
}

/** What recorders write where they do not know the size yet. */
const unknownSizes: ReadonlySet<number> = new Set([0xffff_ffff, 0x7fff_ffff, 0x7fff_ff00, 0x7fff_f000]);
const mostChunks = 4096;

/** Reads and checks the chunks. Throws `bad_request` that says what is wrong. */
export function readWavHeader(source: ByteSource): WavHeader {
  if (source.sizeBytes < 12) throw cut(`it ends after ${source.sizeBytes} bytes`);
  const head = bytesAt(source, 0, 12);
  const id = text(head, 0);
  if (id === "RIFX")
    throw badSound("The WAV file is big-endian (RIFX), which is not read.", "Convert it to plain WAV.");
  const { format, data, longSize } = findChunks(source, id === "RF64");
  if (!format) throw broken("it has no chunk `fmt `");
  if (!data) throw broken("it has no chunk `data`");
  const known = readFormat(bytesAt(source, format.offset, Math.min(format.size, 40)));
  const frameBytes = (known.channels * known.bits) / 8;
  const isOpen = unknownSizes.has(data.size) || (data.size === 0 && head.getUint32(4, true) === 0);
  const available = source.sizeBytes - data.offset;
  const dataBytes = isOpen && longSize === undefined ? available : (longSize ?? data.size);
  if (dataBytes > available) throw cut(`its samples should take ${dataBytes} bytes and take ${available}`);
  return { ...known, dataOffset: data.offset, frames: Math.floor(dataBytes / frameBytes) };
}

interface FoundChunks {
  readonly format: Chunk | undefined;
  readonly data: Chunk | undefined;
  /** Size of the data of a file that says so in a chunk of its own. */
  readonly longSize: number | undefined;
}

function findChunks(source: ByteSource, isLong: boolean): FoundChunks {
  let format: Chunk | undefined;
  let longSize: number | undefined;
  let offset = 12;
  for (let count = 0; offset + 8 <= source.sizeBytes; count++) {
    if (count >= mostChunks) throw broken(`it has more than ${mostChunks} chunks before its samples`);
    const head = bytesAt(source, offset, 8);
    const chunk: Chunk = { id: text(head, 0), offset: offset + 8, size: head.getUint32(4, true) };
    // Samples of an unknown size run to the end: nothing comes after them.
    if (chunk.id === "data") return { format, data: chunk, longSize };
    if (chunk.offset + chunk.size > source.sizeBytes) {
      throw cut(`its chunk ${JSON.stringify(chunk.id)} should take ${chunk.size} bytes`);
    }
    if (chunk.id === "fmt ") format = chunk;
    if (isLong && chunk.id === "ds64" && chunk.size >= 16) {
      longSize = Number(bytesAt(source, chunk.offset, 16).getBigUint64(8, true));
    }
    offset = chunk.offset + chunk.size + (chunk.size % 2);
  }
  return { format, data: undefined, longSize };
}

const encodings: Readonly<Record<number, readonly [WavEncoding, readonly number[]]>> = {
  1: ["pcm", [8, 16, 24, 32]],
  3: ["float", [32, 64]],
  6: ["a-law", [8]],
  7: ["mu-law", [8]],
};
const compressed: Readonly<Record<number, string>> = {
  2: "Microsoft's ADPCM",
  0x11: "IMA ADPCM",
  0x31: "GSM 6.10",
  0x50: "MPEG",
  0x55: "MP3",
  0xff: "AAC",
  0x161: "WMA",
};
const extensible = 0xfffe;
const mostChannels = 64;
const sampleRates = { least: 1000, most: 768_000 };

function readFormat(view: DataView): Pick<WavHeader, "encoding" | "bits" | "channels" | "sampleRate"> {
  if (view.byteLength < 16) throw broken(`its chunk \`fmt \` has ${view.byteLength} bytes; it needs 16`);
  const bits = view.getUint16(14, true);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const blockBytes = view.getUint16(12, true);
  const [encoding, widths] = findEncoding(view);
  if (!widths.includes(bits)) throw broken(`its samples (${encoding}) have ${bits} bits; ${widths.join(", ")} can be`);
  if (channels < 1 || channels > mostChannels) throw broken(`it has ${channels} channels; 1 to ${mostChannels} can be`);
  if (sampleRate < sampleRates.least || sampleRate > sampleRates.most) {
    throw broken(`its sample rate is ${sampleRate} Hz; ${sampleRates.least} to ${sampleRates.most} can be`);
  }
  if (blockBytes !== (channels * bits) / 8) {
    throw broken(`a frame of ${channels} × ${bits} bits cannot take ${blockBytes} bytes`);
  }
  return { encoding, bits, channels, sampleRate };
}

function findEncoding(view: DataView): readonly [WavEncoding, readonly number[]] {
  let tag = view.getUint16(0, true);
  // The first two bytes of the GUID are a tag of the short form.
  if (tag === extensible) {
    if (view.byteLength < 26) throw broken("its extensible format has no subformat");
    tag = view.getUint16(24, true);
  }
  const found = encodings[tag];
  if (found) return found;
  const name = compressed[tag] ?? `the format 0x${tag.toString(16).padStart(4, "0")}`;
  throw badSound(`The WAV file is compressed with ${name}, which is not read.`, "Convert it to PCM.");
}

function bytesAt(source: ByteSource, offset: number, count: number): DataView {
  const bytes = new Uint8Array(count);
  source.read(offset, bytes);
  return new DataView(bytes.buffer);
}

function text(view: DataView, offset: number): string {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + offset, 4));
}

function broken(what: string): Error {
  return badSound(`The WAV file is damaged: ${what}.`);
}

function cut(what: string): Error {
  return badSound(`The WAV file is cut off: ${what}.`, "Send the whole file.");
}
