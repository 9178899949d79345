/** Stored samples → samples from -1 to 1. */
import { badSound } from "./fault.ts";
import type { WavHeader } from "./wav.ts";

type ReadSample = (view: DataView, offset: number) => number;

/** Frames as a file stores them → samples of one channel, the mean of all. Throws `bad_request` for what is no number. */
export function mixFrames(bytes: Uint8Array, header: Pick<WavHeader, "encoding" | "bits" | "channels">): Float32Array {
  const { bits, channels } = header;
  const read = sampleReader(header);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sampleBytes = bits / 8;
  const mixed = new Float32Array(Math.floor(bytes.length / (sampleBytes * channels)));
  for (let frame = 0, offset = 0; frame < mixed.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, offset += sampleBytes) sum += read(view, offset);
    mixed[frame] = sum / channels;
  }
  return header.encoding === "float" ? checkNumbers(mixed) : mixed;
}

/** The mean of channels that are apart. */
export function mixChannels(channels: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(0), ...rest] = channels;
  if (rest.length === 0) return first;
  const mixed = Float32Array.from(first);
  for (const channel of rest) for (let i = 0; i < mixed.length; i++) mixed[i] = (mixed[i] ?? 0) + (channel[i] ?? 0);
  return mixed.map((value) => value / channels.length);
}

/** Native code is handed numbers only. */
export function checkNumbers(samples: Float32Array): Float32Array {
  const wrong = samples.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw badSound(`The sound has a sample that is no number (${String(samples[wrong])}).`);
  return samples;
}

function sampleReader({ encoding, bits }: Pick<WavHeader, "encoding" | "bits">): ReadSample {
  switch (encoding) {
    case "float":
      return bits === 32
        ? (view, offset) => view.getFloat32(offset, true)
        : (view, offset) => view.getFloat64(offset, true);
    case "a-law":
      return (view, offset) => aLaw[view.getUint8(offset)] ?? 0;
    case "mu-law":
      return (view, offset) => muLaw[view.getUint8(offset)] ?? 0;
    default:
      return integerReader(bits);
  }
}

function integerReader(bits: number): ReadSample {
  switch (bits) {
    case 8:
      return (view, offset) => (view.getUint8(offset) - 128) / 128;
    case 16:
      return (view, offset) => view.getInt16(offset, true) / 32_768;
    case 24:
      return (view, offset) => (view.getInt16(offset + 1, true) * 256 + view.getUint8(offset)) / 8_388_608;
    default:
      return (view, offset) => view.getInt32(offset, true) / 2_147_483_648;
  }
}

/** ITU-T G.711: a sign, three bits of exponent and four of mantissa, with every other bit turned over. */
const aLaw = Float32Array.from({ length: 256 }, (_, code) => {
  const value = code ^ 0x55;
  const exponent = (value >> 4) & 7;
  const mantissa = ((value & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return ((value & 0x80) !== 0 ? magnitude : -magnitude) / 32_768;
});

/** ITU-T G.711, all bits turned over, with a bias of 33 steps. */
const muLaw = Float32Array.from({ length: 256 }, (_, code) => {
  const value = ~code & 0xff;
  const magnitude = ((((value & 15) << 3) + 0x84) << ((value >> 4) & 7)) - 0x84;
  return ((value & 0x80) === 0 ? magnitude : -magnitude) / 32_768;
});
