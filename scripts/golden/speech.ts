/**
 * Writes the recording that the tests of speech to text hear: a part of a WAV file, at 8 kHz with 8 bits of mu-law:
 * `node scripts/golden/speech.ts FILE.wav FROM TO`, in seconds. The committed one is from J. F. Kennedy's inaugural
 * address, 1961, which is in the public domain.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { readSound } from "../../src/formats/audio/read.ts";

const [path = "", from = "0", to = "Infinity"] = process.argv.slice(2);
const sampleRate = 8000;
const parts: Float32Array[] = [];
for await (const part of readSound({ bytes: readFileSync(path) }, { sampleRate })) parts.push(part);
const samples = parts.flatMap((part) => [...part]).slice(Number(from) * sampleRate, Number(to) * sampleRate);
const header = Buffer.alloc(46);
header.write("RIFF", 0);
header.writeUInt32LE(38 + samples.length, 4);
header.write("WAVEfmt ", 8);
header.writeUInt32LE(18, 16);
for (const [index, value] of [7, 1].entries()) header.writeUInt16LE(value, 20 + 2 * index);
header.writeUInt32LE(sampleRate, 24);
header.writeUInt32LE(sampleRate, 28);
for (const [index, value] of [1, 8, 0].entries()) header.writeUInt16LE(value, 32 + 2 * index);
header.write("data", 38);
header.writeUInt32LE(samples.length, 42);
const bytes = Buffer.concat([header, Uint8Array.from(samples, toMuLaw)]);
writeFileSync(new URL("../../src/engines/onnx/__fixtures__/speech.wav", import.meta.url), bytes);
console.log(`${bytes.length} bytes, ${samples.length / sampleRate} seconds`);

/** ITU-T G.711. */
function toMuLaw(sample: number): number {
  const value = Math.round(Math.min(1, Math.max(-1, sample)) * 32_635);
  const magnitude = Math.abs(value) + 132;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 7);
  const mantissa = (magnitude >> (exponent + 3)) & 15;
  return ~((value < 0 ? 128 : 0) | (exponent << 4) | mantissa) & 255;
}
