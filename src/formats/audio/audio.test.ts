import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { AudioInput } from "../../spec/media.ts";
import { memorySource } from "../protobuf/source.ts";
import { detectSound } from "./detect.ts";
import { readSound, type ReadSoundOptions } from "./read.ts";
import { createResampler } from "./resample.ts";
import { readWavHeader } from "./wav.ts";
import { encodeWav, wavHeader } from "./write.ts";

interface WavParts {
  readonly tag?: number;
  readonly bits?: number;
  readonly channels?: number;
  readonly rate?: number;
  readonly block?: number;
  readonly data?: Uint8Array;
  readonly dataSize?: number;
  readonly before?: readonly (readonly [string, Uint8Array])[];
  readonly format?: Uint8Array;
}

/** A WAV file with whatever a test wants to be odd. */
function wav(parts: WavParts = {}): Uint8Array {
  const { tag = 1, bits = 16, channels = 1, rate = 16_000, data = new Uint8Array(8), before = [] } = parts;
  const block = parts.block ?? (channels * bits) / 8;
  const head = Buffer.alloc(16);
  head.writeUInt16LE(tag, 0);
  head.writeUInt16LE(channels, 2);
  head.writeUInt32LE(rate, 4);
  head.writeUInt32LE(rate * block, 8);
  head.writeUInt16LE(block, 12);
  head.writeUInt16LE(bits, 14);
  const chunks = [...before, ["fmt ", parts.format ?? head] as const].map(([id, bytes]) => chunk(id, bytes));
  const body = Buffer.concat([...chunks, chunk("data", data, parts.dataSize)]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(body.length + 4);
  return Buffer.concat([Buffer.from("RIFF"), size, Buffer.from("WAVE"), body]);
}

function chunk(id: string, bytes: Uint8Array, size = bytes.length): Buffer {
  const head = Buffer.alloc(8, id);
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, bytes, Buffer.alloc(bytes.length % 2)]);
}

async function read(audio: AudioInput, options: Partial<ReadSoundOptions> = {}): Promise<Float32Array> {
  const pieces: number[] = [];
  for await (const piece of readSound(audio, { sampleRate: 16_000, ...options })) pieces.push(...piece);
  return Float32Array.from(pieces);
}

async function problem(audio: AudioInput): Promise<string> {
  return await read(audio).then(
    () => "accepted",
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
  );
}

describe("samples of each kind come out as what they mean", () => {
  test.each([
    ["8 bits", wav({ bits: 8, data: Uint8Array.of(0, 128, 192) }), [-1, 0, 0.5]],
    ["16 bits", wav({ data: Uint8Array.of(0, 0x80, 0, 0, 0, 0x40) }), [-1, 0, 0.5]],
    ["24 bits", wav({ bits: 24, data: Uint8Array.of(0, 0, 0x80, 1, 0, 0, 0, 0, 0x40) }), [-1, 2 ** -23, 0.5]],
    ["32 bits", wav({ bits: 32, data: Uint8Array.of(0, 0, 0, 0x80, 0, 0, 0, 0x40) }), [-1, 0.5]],
    ["float", wav({ tag: 3, bits: 32, data: new Uint8Array(Float32Array.of(-0.25, 1).buffer) }), [-0.25, 1]],
    ["double", wav({ tag: 3, bits: 64, data: new Uint8Array(Float64Array.of(-0.25, 1).buffer) }), [-0.25, 1]],
    [
      "A-law",
      wav({ tag: 6, bits: 8, data: Uint8Array.of(0xd5, 0x55, 0xaa, 0x2a) }),
      [8, -8, 32_256, -32_256].map((v) => v / 32_768),
    ],
    [
      "µ-law",
      wav({ tag: 7, bits: 8, data: Uint8Array.of(0xff, 0x80, 0x00, 0x7e) }),
      [0, 32_124, -32_124, -8].map((v) => v / 32_768),
    ],
  ])("%s", async (_name, bytes, expected) => {
    expect([...(await read({ bytes }))]).toEqual(expected);
  });

  test("channels are mixed", async () => {
    const data = new Uint8Array(Int16Array.of(16_384, 0, -16_384, -16_384).buffer);
    expect([...(await read({ bytes: wav({ channels: 2, data }) }))]).toEqual([0.25, -0.5]);
  });

  test("the extensible format, chunks before and behind, and a size that is not known yet", async () => {
    const format = Buffer.alloc(40);
    wav({ bits: 24 })
      .slice(20, 36)
      .forEach((value, index) => format.writeUInt8(value, index));
    format.writeUInt16LE(0xfffe, 0);
    format.writeUInt16LE(1, 24);
    const data = Uint8Array.of(0, 0, 0x40);
    const bytes = wav({ format, data, before: [["LIST", new Uint8Array(5)]], dataSize: 0xffff_ffff });
    // The byte that fills up the chunk is no frame.
    expect([...(await read({ bytes }))]).toEqual([0.5]);
  });

  test("what is written is read back, whole or as a stream", async () => {
    const samples = Float32Array.of(0, 0.5, -1, 1.5);
    const expected = [0, 16_384, -32_767, 32_767].map((value) => value / 32_768);
    const bytes = encodeWav(samples, 16_000);
    expect([...(await read({ bytes }))]).toEqual(expected);
    const open = Buffer.concat([wavHeader({ sampleRate: 16_000 }), bytes.slice(44)]);
    expect([...(await read({ bytes: open }))]).toEqual(expected);
  });

  test("a file is read from its path", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-audio-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "sound.wav");
    writeFileSync(path, encodeWav(new Float32Array(40_000).fill(0.5), 16_000));
    expect(await read({ path })).toHaveLength(40_000);
    expect(await problem({ path: join(folder, "none.wav") })).toContain("not_found: There is no file");
    expect(await problem({ path: folder })).toContain("is not a file");
  });
});

describe("what cannot be sound is refused with what is wrong", () => {
  const bytes = (text: string): AudioInput => ({ bytes: Buffer.from(text, "latin1") });
  test.each([
    ["no bytes", bytes(""), "it has no bytes"],
    ["no samples", { bytes: wav({ data: new Uint8Array(0) }) }, "it has no samples"],
    ["no samples, given as such", { samples: new Float32Array(0), sampleRate: 16_000 }, "it has no samples"],
    ["text", bytes('{"a": 1}'), "The file is text."],
    ["noise", bytes("\u0001\u0002\u0003\u0004"), "no sound that hearth knows"],
    ["M4A", bytes("\0\0\0\u0020ftypM4A "), "The file is an MP4 or M4A file."],
    ["MP3 without a decoder", bytes("ID3\u0004\0\0\0\0\0\0"), "The file is MP3; only WAV is read here."],
    ["a header alone", bytes("RIFF\0\0\0\0WAVE"), "it has no chunk `fmt `"],
    ["half a header", bytes("RIFF\0\0\0\0WAVEfm"), "it has no chunk `fmt `"],
    ["no data", { bytes: wav().slice(0, 36) }, "it has no chunk `data`"],
    ["a chunk that is longer than the file", { bytes: wav().slice(0, 30) }, 'its chunk "fmt " should take 16 bytes'],
    ["too few samples", { bytes: wav({ dataSize: 100 }) }, "its samples should take 100 bytes and take 8"],
    ["13 bits", { bytes: wav({ bits: 13, block: 2 }) }, "its samples (pcm) have 13 bits"],
    ["no channels", { bytes: wav({ channels: 0 }) }, "it has 0 channels"],
    ["a rate of 0", { bytes: wav({ rate: 0 }) }, "its sample rate is 0 Hz"],
    ["frames of another size", { bytes: wav({ block: 7 }) }, "a frame of 1 × 16 bits cannot take 7 bytes"],
    ["ADPCM", { bytes: wav({ tag: 2, bits: 4, block: 256 }) }, "compressed with Microsoft's ADPCM"],
    ["an unknown format", { bytes: wav({ tag: 0x1234 }) }, "compressed with the format 0x1234"],
    [
      "no numbers",
      { bytes: wav({ tag: 3, bits: 32, data: new Uint8Array(Float32Array.of(1, NaN).buffer) }) },
      "a sample that is no number (NaN)",
    ],
    ["big-endian", bytes("RIFX\0\0\0\0WAVEfmt "), "big-endian"],
  ])("%s", async (_name, audio, expected) => {
    const found = await problem(audio);
    expect(found).toMatch(/^bad_request: /);
    expect(found).toContain(expected);
  });

  test("no byte of a header that is changed makes anything but an answer or a refusal", async () => {
    const whole = wav({ bits: 24, channels: 2, data: new Uint8Array(60), before: [["LIST", new Uint8Array(3)]] });
    for (let place = 0; place < whole.length; place++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = Uint8Array.from(whole);
        changed[place] = value;
        expect(await problem({ bytes: changed })).toMatch(/^(accepted|bad_request: )/);
      }
    }
  });
});

describe("the kind of a file comes from its bytes", () => {
  test.each([
    ["fLaC", "flac"],
    ["OggS............................OpusHead", "opus"],
    ["OggS............................\u0001vorbis", "vorbis"],
    ["\u00ff\u00fb\u0090\u0064", "mp3"],
    ["ID3\u0004\0\0\0\0\0\u0002..fLaC", "flac"],
  ])("%s", (text, format) => {
    expect(detectSound(Buffer.from(text, "latin1"))).toEqual({ format });
  });
});

describe("another sample rate", () => {
  const tone = (hertz: number, rate: number, count: number): Float32Array =>
    Float32Array.from({ length: count }, (_, index) => Math.sin((2 * Math.PI * hertz * index) / rate));
  const convert = (samples: Float32Array, from: number, to: number, step = samples.length): number[] => {
    const resampler = createResampler({ from, to });
    const output: number[] = [];
    for (let start = 0; start < samples.length; start += step)
      output.push(...resampler.push(samples.slice(start, start + step)));
    return [...output, ...resampler.flush()];
  };
  const loudest = (samples: readonly number[]): number => Math.max(...samples.map(Math.abs));

  test.each([
    [44_100, 16_000],
    [8000, 16_000],
    [48_000, 16_000],
    [24_000, 16_000],
    [44_101, 16_000],
    [16_000, 22_050],
  ])("%i Hz → %i Hz keeps a tone below both halves", (from, to) => {
    const count = from / 4;
    const output = convert(tone(1000, from, count), from, to);
    expect(output).toHaveLength(Math.ceil((Math.floor(count) * to) / from));
    const wanted = tone(1000, to, output.length);
    const middle = output.slice(200, -200).map((value, index) => value - (wanted[index + 200] ?? 0));
    expect(loudest(middle)).toBeLessThan(1e-3);
  });

  test("a tone that the lower rate cannot hold is gone, not folded back", () => {
    const output = convert(tone(10_000, 44_100, 11_025), 44_100, 16_000);
    expect(loudest(output.slice(200, -200))).toBeLessThan(1e-3);
  });

  test("pieces of any size give the same as the whole", () => {
    const samples = tone(700, 44_100, 5000);
    expect(convert(samples, 44_100, 16_000, 37)).toEqual(convert(samples, 44_100, 16_000));
  });
});

test("hours of sound are read a second at a time", async () => {
  const seconds = 3 * 3600;
  const rate = 8000;
  let asked = 0;
  const header = wavHeader({ sampleRate: rate, frames: seconds * rate });
  const source = {
    sizeBytes: header.length + seconds * rate * 2,
    read(offset: number, target: Uint8Array) {
      asked = Math.max(asked, target.length);
      target.set(header.subarray(offset, offset + target.length));
    },
  };
  expect(readWavHeader(source)).toMatchObject({ frames: seconds * rate, sampleRate: rate });
  expect(asked).toBeLessThanOrEqual(40);
  expect(memorySource(header).sizeBytes).toBe(44);
});
