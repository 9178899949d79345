/** Live transcription with a model in memory: a run of equal samples is a word, zeros are silence. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeWav, toPcm16, wavHeader } from "../../src/formats/audio/write.ts";
import type { TranscriptSegment } from "../../src/spec/perform.ts";
import { performWith } from "../fake-speech.ts";
import { createFakeHearth, type FakeHearth } from "./fake-hearth.ts";
import { hearth, start, temporaryFolder, type Outcome, type RunOptions } from "./run-main.ts";

const rate = 16_000;
const words = ["", "one", "two", "three", "four"];

/** Seconds of each word; 0 is silence. */
function say(...parts: readonly (readonly [word: number, seconds: number])[]): Float32Array {
  const samples = new Float32Array(parts.reduce((sum, [, seconds]) => sum + seconds * rate, 0));
  let at = 0;
  for (const [word, seconds] of parts) samples.fill(word / 10, at, (at += seconds * rate));
  return samples;
}

/** Runs of sound, with the words in them; a word that goes on to the end is not over yet. */
function hear(samples: Float32Array): TranscriptSegment[] {
  const segments: { said: number[]; start: number; end: number }[] = [];
  let last = 0;
  for (let index = 0; index < samples.length; index++) {
    const word = Math.round((samples[index] ?? 0) * 10);
    if (word === last && word === 0) continue;
    if (word !== 0 && last === 0) segments.push({ said: [], start: index / rate, end: 0 });
    const open = segments.at(-1);
    if (word !== 0 && open) open.end = (index + 1) / rate;
    if (word !== 0 && word !== last) open?.said.push(word);
    last = word;
  }
  return segments.map(({ said, start: from, end }) => ({
    text: said.map((word) => words[word]).join(" "),
    start: from,
    end,
  }));
}

function house(): FakeHearth {
  const transcribe = ({ audio }: { readonly audio: object }) => {
    if (!("samples" in audio)) throw new Error("not live");
    const samples = audio.samples as Float32Array;
    const segments = hear(samples);
    return { text: "", seconds: samples.length / rate, segments };
  };
  return createFakeHearth({ installed: ["moonshine:tiny"], perform: performWith({ transcribe }) });
}

/** The bytes come in pieces, as from a pipe. */
async function pipe(bytes: Uint8Array, flags: readonly string[] = [], options: RunOptions = {}): Promise<Outcome> {
  const live = start(["transcribe", "-", "--live", ...flags], { hearth: house(), ...options });
  for (let at = 0; at < bytes.length; at += 4001) {
    live.type(bytes.subarray(at, at + 4001));
    await new Promise((resolve) => setImmediate(resolve));
  }
  live.end();
  return await live.done;
}

const talk = say([0, 1], [1, 0.5], [2, 0.5], [0, 2], [3, 0.5], [0, 1.5], [4, 1]);

describe("hearth transcribe --live", () => {
  test("writes each utterance down once, from WAV without a size and from bare samples", async () => {
    const endless = Buffer.concat([wavHeader({ sampleRate: rate }), toPcm16(talk)]);
    const bare = toPcm16(talk);
    for (const bytes of [encodeWav(talk, rate), endless, bare]) {
      const { code, stdout } = await pipe(bytes);
      expect([code, stdout]).toEqual([0, "one two\nthree\nfour\n"]);
    }
  });

  test("takes another rate of bare samples", async () => {
    const half = talk.filter((_, index) => index % 2 === 0);
    const { stdout } = await pipe(toPcm16(half), ["--rate", "8000", "--json"]);
    const last = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; end: number })
      .at(-1);
    expect(last?.type).toBe("final");
    expect(last?.end).toBeCloseTo(7, 1);
  });

  test("settles what was said when a pause lies behind it, before the sound ends", async () => {
    const live = start(["transcribe", "-", "--live"], { hearth: house() });
    live.type(toPcm16(say([1, 1], [0, 2])));
    await live.see("one\n");
    live.type(toPcm16(say([2, 1])));
    live.end();
    expect((await live.done).stdout).toBe("one\ntwo\n");
  });

  test("shows what is being said on a terminal, and changes it as it goes on", async () => {
    const live = start(["transcribe", "-", "--live"], { hearth: house(), terminal: { stdout: true } });
    live.type(toPcm16(say([1, 1])));
    await live.see("\r\u001b[2Kone");
    live.type(toPcm16(say([2, 1])));
    await live.see("\r\u001b[2Kone two");
    live.end();
    expect((await live.done).stdout.endsWith("\r\u001b[2Kone two\n")).toBe(true);
  });

  test("with --json gives a line for each text, partial or final, with its times in the whole sound", async () => {
    const { stdout } = await pipe(toPcm16(talk), ["--json"]);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const final = lines.filter(({ type }) => type === "final").map(({ text, start: from, end }) => [text, from, end]);
    expect(final).toEqual([
      ["one two", 1, 2],
      ["three", 4, 4.5],
      ["four", 6, 7],
    ]);
    expect(lines.every(({ type }) => type === "final" || type === "partial")).toBe(true);
  });

  test("ends with the last words when it is interrupted", async () => {
    const abort = new AbortController();
    const live = start(["transcribe", "-", "--live"], { hearth: house(), signal: abort.signal });
    live.type(toPcm16(say([1, 1], [0, 2], [2, 0.8])));
    await live.see("one\n");
    abort.abort();
    const { code, stdout } = await live.done;
    expect([code, stdout]).toEqual([0, "one\ntwo\n"]);
  });

  test("cuts the sound of one who speaks without a pause, and asks for half a minute at most", async () => {
    const made = house();
    const parts = Array.from({ length: 80 }, (_, index) => [1 + (index % 4), 1] as const);
    const { stdout } = await hearth(["transcribe", "-", "--live"], { hearth: made, stdin: toPcm16(say(...parts)) });
    const said = stdout.trimEnd().split(/\s+/);
    expect(said.length).toBeGreaterThanOrEqual(80);
    expect(said.length).toBeLessThanOrEqual(82);
    for (const { input } of made.performed) {
      const { audio } = input as { audio: { samples: Float32Array } };
      expect(audio.samples.length).toBeLessThanOrEqual(30 * rate);
    }
  });

  test("writes a whole transcript to a file when the sound ends", async () => {
    const out = join(temporaryFolder(), "talk.srt");
    const { stdout } = await pipe(toPcm16(talk), ["--out", out]);
    expect(stdout).toBe("one two\nthree\nfour\n");
    expect(readFileSync(out, "utf8")).toContain("00:00:04,000 --> 00:00:04,500\nthree");
  });

  test.each([
    [["transcribe"], /FILE is missing/],
    [["transcribe", "talk.wav", "--live"], /--live reads stdin/],
    [["transcribe", "talk.wav", "--mic"], /leave talk.wav out/],
    [["transcribe", "talk.wav", "--rate", "8000"], /--rate is for bare samples/],
    [["transcribe", "-", "--live", "--rate", "20"], /4000 to 384000/],
    [["transcribe", "--mic", "--rate", "8000"], /sets the rate itself/],
    [["transcribe", "-", "--live", "--format", "vtt"], /Live text on stdout is txt or json/],
  ])("%j is refused", async (line, message) => {
    const { code, stderr } = await hearth(line, { hearth: house() });
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test.each([
    ["nothing", new Uint8Array(0), /The sound is empty/],
    ["a header without an end", encodeWav(talk, rate).subarray(0, 30), /within its header/],
    ["compressed sound", Buffer.from(`fLaC${"x".repeat(500)}`), /compressed file/],
    ["a damaged header", Buffer.from(`RIFF....WAVEfmt \u0010\0\0\0\u0001${"\0".repeat(15)}data....`), /damaged/],
  ])("%s is refused", async (_, bytes, message) => {
    const { code, stderr } = await pipe(bytes);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe("hearth transcribe --mic", () => {
  test("writes down what a recorder gives, and stops it", async () => {
    let stopped = false;
    const sound = (async function* () {
      yield* [await Promise.resolve(toPcm16(talk))];
    })();
    const record = async () => ({ command: "arecord", sound, stop: () => void (stopped = true) });
    const { stdout, stderr } = await hearth(["transcribe", "--mic"], { hearth: house(), services: { record } });
    expect(stdout).toBe("one two\nthree\nfour\n");
    expect(stderr).toContain("Listening through arecord. Ctrl-C ends.");
    expect(stopped).toBe(true);
  });

  test("says what to install where nothing records", async () => {
    const services = { record: async () => undefined };
    const { code, stderr } = await hearth(["transcribe", "--mic"], { hearth: house(), services });
    expect(code).toBe(2);
    expect(stderr).toMatch(/No program was found that records sound[\s\S]*alsa-utils/);
  });
});
