/** The official client of OpenAI, its calls for sound, against our server over a real socket. */
import OpenAI, { BadRequestError, toFile } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import { encodeWav } from "../../src/formats/audio/write.ts";
import type { RunningServer } from "../../src/server/index.ts";
import { serve } from "../../src/server/index.ts";
import type { TranscribeRequest } from "../../src/spec/perform.ts";
import { createFakeHearth } from "../fake-hearth.ts";
import { fakeSpeech, fakeTranscript, performWith } from "../fake-speech.ts";

const heard: TranscribeRequest[] = [];
const wav = encodeWav(new Float32Array(100), 16_000);
const model = "tiny";
const file = async (): Promise<File> => await toFile(wav, "speech.wav");

let server: RunningServer;
let client: OpenAI;

beforeAll(async () => {
  const speech = fakeSpeech(heard);
  const perform = performWith({
    ...speech,
    async speak(request, options) {
      if (request.text === "break") {
        options.onPart?.({ samples: new Float32Array(4), sampleRate: 24_000 });
        await new Promise(setImmediate);
        throw new HearthError("engine_failed", "The engine died.");
      }
      return await (speech.speak?.(request, options) ?? Promise.reject(new Error("it speaks")));
    },
  });
  server = await serve({
    hearth: createFakeHearth({ perform, settings: { bodyLimit: 100_000 } }),
    host: "127.0.0.1",
    port: 0,
  });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(async () => {
  await server.shutdown();
});

describe("transcriptions", () => {
  test("json is the text", async () => {
    const result = await client.audio.transcriptions.create({
      file: await file(),
      model,
      language: "en",
      prompt: "Kenobi",
    });
    expect(result.text).toBe(fakeTranscript.text);
    expect(result.usage).toEqual({ type: "duration", seconds: 4.5 });
    expect(heard.at(-1)).toEqual({ audio: { bytes: new Uint8Array(wav) }, language: "en", prompt: "Kenobi" });
  });

  test("text, srt and vtt are text", async () => {
    const as = async (format: "text" | "srt" | "vtt"): Promise<unknown> =>
      await client.audio.transcriptions.create({ file: await file(), model, response_format: format });
    expect(await as("text")).toBe(`${fakeTranscript.text}\n`);
    expect(await as("srt")).toContain("1\n00:00:00,500 --> 00:00:01,500\nHello there.\n\n2\n");
    expect(await as("vtt")).toContain("WEBVTT\n\n00:00:00.500 --> 00:00:01.500\n");
  });

  test("verbose_json has the times of segments and words", async () => {
    const result = await client.audio.transcriptions.create({
      file: await file(),
      model,
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    });
    expect(heard.at(-1)?.words).toBe(true);
    expect(result).toMatchObject({ language: "english", duration: 4.5, text: fakeTranscript.text });
    expect(result.segments).toMatchObject([
      { id: 0, start: 0.5, end: 1.5, text: "Hello there." },
      { id: 1, start: 2, end: 4.25, text: "General <Kenobi>." },
    ]);
    expect(result.words).toEqual([{ word: "Hello", start: 0.5, end: 0.9 }]);
  });

  test("a stream tells each utterance, and the whole at the end", async () => {
    const stream = await client.audio.transcriptions.create({ file: await file(), model, stream: true });
    const events: OpenAI.Audio.TranscriptionStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toMatchObject([
      { type: "transcript.text.delta", delta: "Hello there." },
      { type: "transcript.text.delta", delta: " General <Kenobi>." },
      { type: "transcript.text.done", text: fakeTranscript.text },
    ]);
  });

  test("translations ask for English", async () => {
    const result = await client.audio.translations.create({ file: await file(), model });
    expect(result.text).toBe(fakeTranscript.text);
    expect(heard.at(-1)?.translate).toBe(true);
  });

  test.each([
    ["response_format", { response_format: "diarized_json" }],
    ["timestamp_granularities", { timestamp_granularities: ["word"] }],
    ["temperature", { temperature: 2 }],
    ["model", { model: "" }],
    ["include", { include: ["logprobs"] }],
    ["response_format", { stream: true, response_format: "srt" }],
  ])("a wrong %s is named", async (field, extra) => {
    const body = { file: await file(), model, ...extra } as unknown as OpenAI.Audio.TranscriptionCreateParams;
    const error: unknown = await client.audio.transcriptions.create(body).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ param: field });
  });

  test("a form without a file, and a body that is none, are told apart", async () => {
    const post = async (body: FormData | string, type?: string): Promise<[number, unknown]> => {
      const headers = type === undefined ? {} : { "content-type": type };
      const response = await fetch(`${server.url}/v1/audio/transcriptions`, { method: "POST", body, headers });
      return [response.status, await response.json()];
    };
    const form = new FormData();
    form.set("model", model);
    expect(await post(form)).toMatchObject([400, { error: { param: "file" } }]);
    expect(await post("{}", "application/json")).toMatchObject([415, { error: { code: "unsupported_media_type" } }]);
    expect(await post("junk", "multipart/form-data; boundary=x")).toMatchObject([400, { error: {} }]);
    form.set("file", new Blob([new Uint8Array(200_000)]), "big.wav");
    expect((await post(form))[0]).toBe(413);
  });
});

describe("speech", () => {
  test("is a WAV file as it is made, or raw samples", async () => {
    const request = { model, voice: "anna", input: "Hello." } as const;
    const whole = await client.audio.speech.create(request);
    expect(whole.headers.get("content-type")).toBe("audio/wav");
    const bytes = Buffer.from(await whole.arrayBuffer());
    expect(bytes.subarray(0, 4).toString()).toBe("RIFF");
    expect(bytes).toHaveLength(44 + 16);
    expect(bytes.readInt16LE(44)).toBe(16_384);
    const raw = await client.audio.speech.create({ ...request, response_format: "pcm" });
    expect(Buffer.from(await raw.arrayBuffer())).toEqual(bytes.subarray(44));
  });

  test("can come as events", async () => {
    const response = await client.audio.speech.create({ model, voice: "anna", input: "Hello.", stream_format: "sse" });
    const text = await response.text();
    expect(text.match(/"speech.audio.delta"/g)).toHaveLength(3);
    expect(text.trim().endsWith('data: {"type":"speech.audio.done"}')).toBe(true);
  });

  test("that breaks off does not look whole", async () => {
    const response = await client.audio.speech.create({ model, voice: "anna", input: "break" });
    await expect(response.arrayBuffer()).rejects.toThrow(/terminated|closed|aborted/);
  });

  test.each([
    ["response_format", { response_format: "mp3" }],
    ["response_format", { response_format: "opus" }],
    ["speed", { speed: 9 }],
    ["input", { input: "" }],
    ["voice", { voice: "nobody" }],
    ["instructions", { instructions: "cheerfully" }],
  ])("a wrong %s is named", async (field, extra) => {
    const body = { model, voice: "anna", input: "Hello.", ...extra } as OpenAI.Audio.SpeechCreateParams;
    const error: unknown = await client.audio.speech.create(body).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ param: field });
  });
});
