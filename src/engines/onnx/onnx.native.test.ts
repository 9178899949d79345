import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { loadOnnx, notices } from "../../../test/onnx-house.ts";
import { testPack } from "../../../test/pack.ts";
import type { LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { TaskName, Tasks } from "../../spec/perform.ts";
import { openPictures } from "../media/image.ts";
import type { Picture } from "../media/image.ts";
import { onnxLibrary } from "./setup.ts";

const folder = await testPack("onnx");
const pictures = folder === undefined ? undefined : await openPictures(onnxLibrary(folder).sharp);
const loaded = new Map<string, Promise<LoadedModel>>();

async function open(name: string, options?: LoadOptions): Promise<LoadedModel> {
  const key = `${name} ${JSON.stringify(options ?? {})}`;
  const model = loaded.get(key) ?? loadOnnx(name, options);
  loaded.set(key, model);
  return await model;
}

async function run<Name extends TaskName>(
  model: LoadedModel,
  task: Name,
  request: Tasks[Name]["request"],
): Promise<Tasks[Name]["result"]> {
  if (!model.perform) throw new Error("it has no tasks");
  return await model.perform(task, request);
}

const fixture = (name: string): Uint8Array => readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

/** A red ball on a pale ground. */
async function ball(width: number, height: number): Promise<Uint8Array> {
  const ground: Picture = { width, height, channels: 3, data: new Uint8Array(width * height * 3).fill(230) };
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <circle cx="${width / 2}" cy="${height / 2}" r="${height / 4}" fill="#c02020"/></svg>`;
  const made = await pictures?.encode(ground, [{ input: new TextEncoder().encode(svg), left: 0, top: 0 }]);
  return made?.png ?? new Uint8Array();
}

afterAll(async () => {
  for (const model of await Promise.allSettled(loaded.values())) {
    if (model.status === "fulfilled") await model.value.dispose();
  }
});

describe.skipIf(folder === undefined)("ONNX models", () => {
  it("embeds texts with the similarities that the makers of MiniLM publish", async () => {
    const model = await open("all-minilm:l6-v2-f32");
    const texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."];
    const { vectors, tokens } = (await model.embed?.({ texts })) ?? { vectors: [], tokens: 0 };
    const [a, b, c] = vectors;
    if (!a || !b || !c) throw new Error("no vectors");
    expect(a).toHaveLength(384);
    expect(dot(a, a)).toBeCloseTo(1, 5);
    // https://sbert.net/docs/quickstart.html
    expect(Math.abs(dot(a, b) - 0.666)).toBeLessThan(1e-3);
    expect(Math.abs(dot(a, c) - 0.1046)).toBeLessThan(1e-3);
    expect(Math.abs(dot(b, c) - 0.1411)).toBeLessThan(1e-3);
    expect(tokens).toBeGreaterThan(15);
  });

  it("gives a text the same vector alone and among others", async () => {
    const model = await open("all-minilm:l6-v2-f32");
    const texts = ["short", "a text of some more words than the other one has", "short"];
    const together = (await model.embed?.({ texts }))?.vectors ?? [];
    const alone = (await Promise.all(texts.map(async (text) => await model.embed?.({ texts: [text] })))).map(
      (result) => result?.vectors[0],
    );
    for (const [index, vector] of together.entries()) {
      const other = alone[index];
      expect(other && dot(vector, other)).toBeCloseTo(1, 5);
    }
  });

  it("refuses a text that is too long, and cuts one into tokens and back", async () => {
    const model = await open("all-minilm:l6-v2-f32");
    const long = "word ".repeat(1000);
    await expect(model.embed?.({ texts: ["fine", long] })).rejects.toMatchObject({
      code: "context_too_long",
      details: { promptTokens: 1002, contextTokens: 512, index: 1 },
    });
    const tokens = await model.tokenize([{ text: "hello [SEP] world", special: false }]);
    expect(tokens).not.toContain(102);
    expect(await model.detokenize(await model.tokenize([{ text: "hello world", special: false }]))).toBe("hello world");
  });

  it("writes down what is said, with times and the language, found out or asked for", async () => {
    const model = await open("whisper:tiny");
    const audio = { bytes: fixture("speech.wav") };
    const parts: string[] = [];
    const result = await model.perform?.("transcribe", { audio }, { onPart: ({ text }) => parts.push(text) });
    expect(result?.text.toLowerCase()).toContain("what you can do for your country");
    expect(result?.language).toBe("en");
    expect(result?.seconds).toBeCloseTo(3, 0);
    expect(result?.segments.at(-1)?.end).toBeGreaterThan(2);
    expect(parts).toEqual(result?.segments.map(({ text }) => text));
    await expect(run(model, "transcribe", { audio, language: "xx" })).rejects.toMatchObject({
      code: "unsupported_option",
    });
    await expect(run(model, "transcribe", { audio: { bytes: new Uint8Array(100) } })).rejects.toMatchObject({
      code: "bad_request",
    });
  });

  it("gives each word its time where it is asked to", async () => {
    const model = await open("whisper:tiny");
    const result = await run(model, "transcribe", {
      audio: { bytes: fixture("speech.wav") },
      words: true,
      language: "en",
    });
    const words = result.segments.flatMap((segment) => segment.words ?? []);
    expect(words.map(({ text }) => text).join(" ")).toContain("what you can do for your country");
    for (const [index, { start, end }] of words.entries()) {
      expect(end).toBeGreaterThanOrEqual(start);
      expect(start).toBeGreaterThanOrEqual(words[index - 1]?.start ?? 0);
    }
  });

  it("finds where somebody speaks", async () => {
    const model = await open("silero-vad:v5");
    const speech = { bytes: fixture("speech.wav") };
    const { spans, seconds } = await run(model, "voice", { audio: speech });
    expect(seconds).toBeCloseTo(3, 1);
    expect(spans).toHaveLength(1);
    expect((spans[0]?.end ?? 0) - (spans[0]?.start ?? 0)).toBeGreaterThan(1.5);
    const silence = { samples: new Float32Array(48_000), sampleRate: 16_000 };
    expect((await run(model, "voice", { audio: silence })).spans).toEqual([]);
  });

  it("reads a picture of text, line by line", async () => {
    const model = await open("pp-ocr:v4");
    const { text, lines } = await run(model, "ocr", { image: { bytes: fixture("text.png") } });
    expect(text.split("\n")).toEqual(["Nothing leaves this house", "Total: 42.50 EUR", "Hearth keeps it warm"]);
    expect(lines[0]?.score).toBeGreaterThan(0.9);
    const [left, right] = lines[2]?.corners ?? [];
    // The third line is askew.
    expect((right?.y ?? 0) - (left?.y ?? 0)).toBeGreaterThan(15);
    const empty = await run(model, "ocr", { image: { bytes: await ball(200, 100) } });
    expect(empty).toMatchObject({ text: "", lines: [] });
  });

  it("parts the words of a line, whatever its font and size", async () => {
    const model = await open("pp-ocr:v4");
    const { text } = await run(model, "ocr", { image: { bytes: fixture("words.png") } });
    const sentences = [
      "We paid 42.50 for it, in May.",
      "I am one of a dozen who win a lot",
      "Is this a house? No, it is a barn.",
    ];
    expect(text.split("\n")).toEqual([...sentences, ...sentences, ...sentences]);
  });

  it("cuts the background away", async () => {
    const model = await open("u2net:base");
    const [width, height] = [200, 120];
    const { png, mask } = await run(model, "remove-background", { image: { bytes: await ball(width, height) } });
    expect(mask).toMatchObject({ width, height });
    const at = (x: number, y: number): number => mask.data[y * width + x] ?? 0;
    expect(at(100, 60)).toBeGreaterThan(200);
    expect(at(80, 60)).toBeGreaterThan(200);
    expect(at(10, 10)).toBeLessThan(30);
    const cut = await pictures?.decode({ bytes: png }, { alpha: true });
    expect(cut).toMatchObject({ width, height });
    expect(cut?.data[(10 * width + 10) * 4 + 3]).toBeLessThan(30);
  });

  it("makes a picture larger, without seams", async () => {
    const model = await open("real-esrgan:x2");
    const small = await ball(150, 90);
    const { png, width, height } = await run(model, "upscale", { image: { bytes: small } });
    expect([width, height]).toEqual([300, 180]);
    const large = await pictures?.decode({ bytes: png });
    const back = large && (await pictures?.resize(large, { width: 150, height: 90 }));
    const original = await pictures?.decode({ bytes: small });
    const error =
      back && original
        ? back.data.reduce((sum, value, at) => sum + Math.abs(value - (original.data[at] ?? 0)), 0) / back.data.length
        : 255;
    expect(error).toBeLessThan(5);
  });

  it("takes tensors, and says what is wrong with them", async () => {
    const model = await open("all-minilm:l6-v2-f32");
    const ids = { type: "int64", shape: [1, 3], data: BigInt64Array.of(101n, 7592n, 102n) } as const;
    const ones = { ...ids, data: BigInt64Array.of(1n, 1n, 1n) };
    const inputs = { input_ids: ids, attention_mask: ones, token_type_ids: { ...ids, data: new BigInt64Array(3) } };
    const { outputs } = await run(model, "infer", { inputs });
    expect(outputs["last_hidden_state"]?.shape).toEqual([1, 3, 384]);
    expect((await run(model, "infer", { inputs, outputs: ["last_hidden_state"] })).outputs).toEqual(outputs);
    await expect(run(model, "infer", { inputs, outputs: ["z"] })).rejects.toMatchObject({
      details: { field: "outputs", outputs: ["last_hidden_state"] },
    });
    await expect(run(model, "infer", { inputs: { input_ids: ids } })).rejects.toMatchObject({ code: "bad_request" });
    const wrong = { ...inputs, input_ids: { ...ids, shape: [1, 4] } };
    await expect(run(model, "infer", { inputs: wrong })).rejects.toThrow(/has 3 elements; its shape \[1, 4\] needs 4/);
  });

  it("refuses pictures that cannot be decoded, and goes on", async () => {
    const model = await open("pp-ocr:v4");
    const cut = fixture("text.png").subarray(0, 500);
    await expect(run(model, "ocr", { image: { bytes: cut } })).rejects.toMatchObject({ code: "bad_request" });
    await expect(run(model, "transcribe", { audio: { bytes: cut } })).rejects.toMatchObject({
      code: "unsupported_capability",
    });
    expect((await run(model, "ocr", { image: { bytes: fixture("text.png") } })).lines).toHaveLength(3);
  });

  it("falls back to the CPU where a device is not there, and says why", async () => {
    const model = await open("all-minilm:l6-v2-f32", { device: "npu" });
    expect(model.device).toBe("cpu");
    expect(notices.join("\n")).toMatch(/runs on the CPU, not on npu: this build of ONNX Runtime has no provider/);
  });
});
