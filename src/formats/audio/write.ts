/** WAV with 16 bits and one channel, what everything plays. */

const headerBytes = 44;
/** Stands for "to the end" where the length is not known yet. */
const unknownSize = 0xffff_ffff;

/** `frames` absent: the file is written while it is made. */
export function wavHeader({
  sampleRate,
  frames,
}: {
  readonly sampleRate: number;
  readonly frames?: number;
}): Uint8Array {
  const header = new DataView(new ArrayBuffer(headerBytes));
  const dataBytes = frames === undefined ? undefined : frames * 2;
  const long = dataBytes === undefined || dataBytes + headerBytes > unknownSize;
  writeText(header, 0, "RIFF");
  header.setUint32(4, long ? unknownSize : dataBytes + headerBytes - 8, true);
  writeText(header, 8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, sampleRate * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  writeText(header, 36, "data");
  header.setUint32(40, long ? unknownSize : dataBytes, true);
  return new Uint8Array(header.buffer);
}

/** Samples from -1 to 1, cut off beyond → 16 bits, little-endian. */
export function toPcm16(samples: Float32Array): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((value, index) => {
    bytes.setInt16(index * 2, Math.round(Math.min(1, Math.max(-1, value)) * 32_767), true);
  });
  return new Uint8Array(bytes.buffer);
}

/** A whole file. */
export function encodeWav(samples: Float32Array, sampleRate: number): Uint8Array {
  const pcm = toPcm16(samples);
  const file = new Uint8Array(headerBytes + pcm.length);
  file.set(wavHeader({ sampleRate, frames: samples.length }));
  file.set(pcm, headerBytes);
  return file;
}

function writeText(view: DataView, offset: number, text: string): void {
  for (let index = 0; index < text.length; index++) view.setUint8(offset + index, text.charCodeAt(index));
}
