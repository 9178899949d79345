import { mkdtempSync, openSync, rmSync, writeSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { testPack } from "../../../test/pack.ts";
import { cachedLibrary } from "../../../test/real-model.ts";
import { engineEnvironment } from "../../config/environment.ts";
import { createResampler } from "../../formats/audio/resample.ts";
import { encodeWav, toPcm16, wavHeader } from "../../formats/audio/write.ts";
import type { AudioInput } from "../../spec/media.ts";
import type { Perform, TranscriptSegment } from "../../spec/perform.ts";
import type { HostedModel } from "../host/load.ts";
import { createSpeechEngine } from "./engine.ts";

const pack = await testPack("speech");

const sentences = [
  "Hello world.",
  "The quick brown fox jumps over the lazy dog.",
  "Local inference works without any network.",
];
const rate = 16_000;

/** Loads a model of the catalog, fetched once. */
async function load(name: string): Promise<HostedModel> {
  const library = cachedLibrary();
  const model = await library.pull(name);
  const info = await library.inspect(model);
  const path = model.files.find(({ role }) => role === "weights")?.path ?? "";
  const engine = createSpeechEngine({ env: engineEnvironment(), pack: async () => pack ?? "" });
  expect(engine.refuse(info, "auto")).toBeUndefined();
  const loaded = await engine.load({ name, path, info }, {});
  expect(loaded.capabilities).toEqual(info.capabilities);
  return loaded;
}

function performOf(model: HostedModel | undefined): Perform {
  if (!model?.perform) throw new Error("the model performs nothing");
  return model.perform;
}

function words(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z ]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

function resample(samples: Float32Array, from: number, to: number): Float32Array {
  const resampler = createResampler({ from, to });
  return join2([resampler.push(samples), resampler.flush()]);
}

function join2(pieces: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    all.set(piece, offset);
    offset += piece.length;
  }
  return all;
}

describe.skipIf(pack === undefined)("speech", () => {
  let speaker: HostedModel | undefined;
  let listener: HostedModel | undefined;
  let finder: HostedModel | undefined;
  /** The sentences as Kokoro says them, at 16 kHz. */
  let spoken = new Float32Array(0);

  beforeAll(async () => {
    speaker = await load("kokoro");
    listener = await load("moonshine");
    finder = await load("silero-vad");
    const parts: Float32Array[] = [];
    let sampleRate = 0;
    const result = await performOf(speaker)(
      "speak",
      { text: sentences.join(" ") },
      {
        onPart(part) {
          parts.push(part.samples);
          ({ sampleRate } = part);
        },
      },
    );
    expect(parts).toHaveLength(sentences.length);
    expect(result.sampleRate).toBe(sampleRate);
    spoken = Float32Array.from(resample(join2(parts), sampleRate, rate));
    expect(result.seconds).toBeCloseTo(spoken.length / rate, 1);
    expect(result.voices).toContain("af_bella");
  });

  afterAll(async () => {
    await Promise.all([speaker, listener, finder].map(async (model) => await model?.dispose()));
  });

  const transcribe = async (audio: AudioInput): Promise<string> =>
    words((await performOf(listener)("transcribe", { audio })).text);

  test("what is spoken comes back word for word, with times", async () => {
    const segments: TranscriptSegment[] = [];
    const onPart = (part: TranscriptSegment): void => void segments.push(part);
    const result = await performOf(listener)(
      "transcribe",
      { audio: { samples: spoken, sampleRate: rate } },
      { onPart },
    );
    expect(words(result.text)).toBe(words(sentences.join(" ")));
    expect(result.segments).toEqual(segments);
    expect(result.seconds).toBeCloseTo(spoken.length / rate, 2);
    for (const { start, end } of segments) expect(0 <= start && start < end && end <= result.seconds + 0.1).toBe(true);
  });

  test("another voice and another speed say the same", async () => {
    const parts: Float32Array[] = [];
    // No two runs of Kokoro give the same samples: this voice was understood 18 times of 18, am_adam at 1.3 was not always.
    const request = { text: sentences[1] ?? "", voice: "af_bella", speed: 1.2 };
    const { sampleRate } = await performOf(speaker)("speak", request, {
      onPart: (part) => void parts.push(part.samples),
    });
    expect(await transcribe({ samples: join2(parts), sampleRate })).toBe(words(sentences[1] ?? ""));
  });

  test("44.1 kHz is understood too", async () => {
    const bytes = encodeWav(resample(spoken, rate, 44_100), 44_100);
    expect(await transcribe({ bytes })).toBe(words(sentences.join(" ")));
  });

  test("8 kHz is understood but for two words at most: a telephone lets nobody tell an f from an s", async () => {
    const text = await transcribe({ bytes: encodeWav(resample(spoken, rate, 8000), 8000) });
    const said = words(sentences.join(" ")).split(" ");
    expect(text.split(" ")).toHaveLength(said.length);
    expect(text.split(" ").filter((word, index) => word !== said[index]).length).toBeLessThanOrEqual(2);
  });

  test("24 bits and two channels are understood too", async () => {
    const bytes = Buffer.alloc(44 + spoken.length * 6);
    Buffer.from(wavHeader({ sampleRate: rate, frames: spoken.length * 3 })).copy(bytes);
    bytes.writeUInt16LE(2, 22);
    bytes.writeUInt16LE(6, 32);
    bytes.writeUInt16LE(24, 34);
    spoken.forEach((value, index) => {
      const code = Math.round(value * 8_388_607);
      bytes.writeIntLE(code, 44 + index * 6, 3);
      bytes.writeIntLE(code, 47 + index * 6, 3);
    });
    expect(await transcribe({ bytes })).toBe(words(sentences.join(" ")));
  });

  test("the speech in a file with silence is found", async () => {
    const silence = new Float32Array(3 * rate);
    const samples = join2([silence, spoken, silence, spoken, silence]);
    const { spans, seconds } = await performOf(finder)("voice", { audio: { samples, sampleRate: rate } });
    const length = spoken.length / rate;
    const expected = [
      [3, 3 + length],
      [6 + length, 6 + 2 * length],
    ] as const;
    expect(seconds).toBeCloseTo(samples.length / rate, 2);
    for (const { start, end } of spans) {
      expect(expected.some(([from, to]) => start > from - 0.5 && end < to + 0.7)).toBe(true);
    }
    const covered = spans.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(covered).toBeGreaterThan(length * 1.2);
    expect((await performOf(finder)("voice", { audio: { samples: silence, sampleRate: rate } })).spans).toEqual([]);
  });

  test("nothing is heard in silence", async () => {
    const audio = { samples: new Float32Array(5 * rate), sampleRate: rate };
    expect(await performOf(listener)("transcribe", { audio })).toEqual({ text: "", seconds: 5, segments: [] });
  });

  test("hours of sound are read from a file piece by piece", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-speech-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "long.wav");
    const seconds = 2 * 3600;
    const file = openSync(path, "w");
    writeSync(file, wavHeader({ sampleRate: rate, frames: seconds * rate }));
    // Speech at the begin of each half hour, else silence: a sparse file.
    const pcm = toPcm16(spoken);
    for (let at = 0; at < seconds; at += 1800) writeSync(file, pcm, 0, pcm.length, 44 + at * rate * 2);
    writeSync(file, new Uint8Array(2), 0, 2, 44 + seconds * rate * 2 - 2);
    closeSync(file);
    const before = listener?.memory().residentBytes ?? 0;
    const result = await performOf(listener)("transcribe", { audio: { path } });
    expect(result.seconds).toBe(seconds);
    expect(words(result.text)).toBe(words(Array.from({ length: 4 }, () => sentences.join(" ")).join(" ")));
    const starts = result.segments.map(({ start }) => Math.round(start / 1800));
    expect([...new Set(starts)]).toEqual([0, 1, 2, 3]);
    expect((listener?.memory().residentBytes ?? 0) - before).toBeLessThan(200 * 1024 ** 2);
  });

  test.each([
    ["no bytes", { bytes: new Uint8Array(0) }, "it has no bytes"],
    ["no samples", { bytes: encodeWav(new Float32Array(0), rate) }, "it has no samples"],
    ["half a file", { bytes: encodeWav(new Float32Array(1000), rate).slice(0, 500) }, "cut off"],
    ["something else", { bytes: Buffer.from("{}") }, "The file is text"],
    ["a damaged FLAC", { bytes: Buffer.from(`fLaC${"x".repeat(500)}`) }, "no samples"],
  ])("%s is refused", async (_name, audio, expected) => {
    const work = performOf(listener)("transcribe", { audio });
    await expect(work).rejects.toMatchObject({ code: "bad_request", message: expect.stringContaining(expected) });
  });

  test("what a model cannot do is refused by name", async () => {
    const audio = { samples: spoken, sampleRate: rate };
    const refused = { code: "unsupported_option" };
    await expect(performOf(listener)("transcribe", { audio, language: "de" })).rejects.toMatchObject(refused);
    await expect(performOf(listener)("transcribe", { audio, translate: true })).rejects.toMatchObject(refused);
    await expect(performOf(listener)("transcribe", { audio, prompt: "fox" })).rejects.toMatchObject(refused);
    const speak = performOf(speaker);
    await expect(speak("speak", { text: "hi", voice: "nobody" })).rejects.toMatchObject({ code: "bad_request" });
    await expect(speak("speak", { text: " \n…" })).rejects.toMatchObject({ code: "bad_request" });
    await expect(speak("transcribe", { audio })).rejects.toMatchObject({ code: "unsupported_capability" });
  });

  test("a speaker that nobody listens to any more stops after its sentence", async () => {
    const controller = new AbortController();
    let parts = 0;
    const work = performOf(speaker)(
      "speak",
      { text: `${sentences[0]} `.repeat(30) },
      {
        signal: controller.signal,
        onPart() {
          parts++;
          controller.abort();
        },
      },
    );
    await expect(work).rejects.toMatchObject({ code: "aborted" });
    expect(parts).toBe(1);
    // The next one need not wait for 29 sentences.
    await performOf(speaker)("speak", { text: "Yes." });
  });
});
