import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fakeSpeech, performWith } from "../fake-speech.ts";
import { createFakeHearth, type FakeHearth } from "./fake-hearth.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

function house(): FakeHearth {
  return createFakeHearth({ installed: ["moonshine:tiny", "kokoro:82m"], perform: performWith(fakeSpeech()) });
}

test("transcribe prints what was said, a line for each utterance", async () => {
  const made = house();
  const { code, stdout } = await hearth(["transcribe", "/tmp/talk.wav"], { hearth: made });
  expect([code, stdout]).toEqual([0, "Hello there.\nGeneral <Kenobi>.\n"]);
  expect(made.performed[0]).toMatchObject({ model: "moonshine:tiny", input: { audio: { path: "/tmp/talk.wav" } } });
});

test("transcribe takes the format from the name of the file that it writes", async () => {
  const out = join(temporaryFolder(), "talk.srt");
  const { code, stdout } = await hearth(["transcribe", "talk.wav", "--out", out], { hearth: house() });
  expect([code, stdout]).toEqual([0, ""]);
  expect(readFileSync(out, "utf8")).toContain("00:00:00,500 --> 00:00:01,500\nHello there.");
});

test("transcribe writes vtt and JSON, and reads a sound from a pipe", async () => {
  const vtt = await hearth(["transcribe", "talk.wav", "--format", "vtt"], { hearth: house() });
  expect(vtt.stdout.startsWith("WEBVTT\n")).toBe(true);
  const made = house();
  const { stdout } = await hearth(["transcribe", "-", "--json", "--words"], { hearth: made, stdin: "RIFF" });
  expect(JSON.parse(stdout)).toMatchObject({ language: "en", segments: [{ words: [{ text: "Hello" }] }, {}] });
  expect(made.performed[0]?.input).toMatchObject({
    words: true,
    audio: { bytes: new Uint8Array(Buffer.from("RIFF")) },
  });
});

test("speak writes a WAV file whose header has the right length", async () => {
  const out = join(temporaryFolder(), "hello.wav");
  const { code, stdout } = await hearth(["speak", "Hello", "there.", "--out", out], { hearth: house() });
  expect([code, stdout]).toEqual([0, `${out}: 12.0 s.\n`]);
  const bytes = readFileSync(out);
  expect(bytes).toHaveLength(44 + 16);
  expect([bytes.readUInt32LE(4), bytes.readUInt32LE(24), bytes.readUInt32LE(40)]).toEqual([52, 24_000, 16]);
});

test("speak plays what it says; where nothing plays, it says how to keep it", async () => {
  const played: Buffer[] = [];
  const play = async (path: string): Promise<boolean> => played.push(readFileSync(path)) > 0;
  const said = await hearth(["speak", "-"], { hearth: house(), stdin: "Hello.", services: { play } });
  expect([said.code, played[0]?.length]).toEqual([0, 60]);
  const mute = await hearth(["speak", "Hello."], { hearth: house(), services: { play: async () => false } });
  expect(mute.code).not.toBe(0);
  expect(mute.stderr).toContain("--out speech.wav");
});

test("speak leaves no file behind that is not whole", async () => {
  const out = join(temporaryFolder(), "hello.wav");
  writeFileSync(out, "old");
  const { code, stderr } = await hearth(["speak", "Hi.", "--voice", "nobody", "--out", out], { hearth: house() });
  expect(code).not.toBe(0);
  expect(stderr).toContain('There is no voice "nobody"');
  expect(readFileSync(out, "utf8")).toBe("old");
  expect(existsSync(`${out}.part`)).toBe(false);
});
