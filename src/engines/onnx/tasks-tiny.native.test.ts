import { afterAll, describe, expect, it } from "vitest";
import { loadOnnxFolder } from "../../../test/onnx-house.ts";
import type { TinyModel } from "../../../test/onnx-tiny.ts";
import { unpackTiny } from "../../../test/onnx-tiny.ts";
import { testPack } from "../../../test/pack.ts";
import type { LoadedModel } from "../../spec/engine.ts";
import type { Label, TaskName, Tasks } from "../../spec/perform.ts";

const pack = await testPack("onnx");
const opened: (() => Promise<void>)[] = [];

interface Opened<Golden> extends TinyModel<Golden> {
  readonly model: LoadedModel;
  readonly run: <Name extends TaskName>(task: Name, request: Tasks[Name]["request"]) => Promise<Tasks[Name]["result"]>;
}

async function open<Golden>(name: string): Promise<Opened<Golden>> {
  const tiny = await unpackTiny<Golden>(name);
  opened.push(tiny.remove);
  const model = await loadOnnxFolder(tiny.folder);
  opened.push(async () => await model.dispose());
  return {
    ...tiny,
    model,
    async run(task, request) {
      if (!model.perform) throw new Error("it has no tasks");
      return await model.perform(task, request);
    },
  };
}

afterAll(async () => {
  for (const close of opened.toReversed()) await close();
});

type Scores = Readonly<Record<string, number>>;

const byLabel = (labels: readonly Label[] | undefined): Scores =>
  Object.fromEntries((labels ?? []).map(({ label, score }) => [label, score]));

function expectScores(found: Scores, wanted: Scores): void {
  expect(Object.keys(found).toSorted()).toEqual(Object.keys(wanted).toSorted());
  for (const [label, score] of Object.entries(wanted))
    expect(Math.abs((found[label] ?? NaN) - score)).toBeLessThan(1e-4);
}

function expectNear(found: ArrayLike<number> | undefined, wanted: readonly number[]): void {
  expect(found).toHaveLength(wanted.length);
  const worst = wanted.reduce((most, value, at) => Math.max(most, Math.abs((found?.[at] ?? NaN) - value)), 0);
  expect(worst).toBeLessThan(1e-4);
}

/** A tone that rises, as the golden values were made of. */
function tone(seconds: number): { readonly samples: Float32Array; readonly sampleRate: number } {
  const sampleRate = 16_000;
  const samples = Float32Array.from({ length: seconds * sampleRate }, (_, index) => {
    const time = index / sampleRate;
    return 0.4 * Math.sin(2 * Math.PI * 440 * time) + 0.2 * Math.sin(2 * Math.PI * 1320 * time * time);
  });
  return { samples, sampleRate };
}

describe.skipIf(pack === undefined)("tiny ONNX models, against torch", () => {
  it("reranks with a cross-encoder", async () => {
    const { model, golden } = await open<{ query: string; documents: string[]; scores: number[] }>("rerank");
    expect(model.capabilities).toContain("rerank");
    const result = await model.rerank?.(golden);
    expectNear(result?.scores, golden.scores);
    expect(result?.tokens).toBeGreaterThan(20);
  });

  it("finds names, with their places", async () => {
    type Found = { label: string; score: number; start: number; end: number };
    const { run, golden } = await open<{ texts: string[]; entities: Found[][] }>("tokens");
    const { entities } = await run("tokens", { texts: golden.texts });
    const bare = entities.map((list) => list.map(({ label, start, end }) => ({ label, start, end })));
    expect(bare).toEqual(golden.entities.map((list) => list.map(({ label, start, end }) => ({ label, start, end }))));
    entities.forEach((list, text) =>
      expectNear(
        list.map(({ score }) => score),
        golden.entities[text]!.map(({ score }) => score),
      ),
    );
    for (const [at, list] of entities.entries()) {
      for (const { text, start, end } of list) expect(text).toBe(golden.texts[at]?.slice(start, end));
    }
  });

  it("sorts texts under labels of one's own", async () => {
    const { run, golden } = await open<{ text: string; labels: string[]; plain: Scores; hypothesis: Scores }>(
      "zero-shot-text",
    );
    const { text, labels } = golden;
    const plain = await run("classify", { texts: [text], labels });
    expectScores(byLabel(plain.labels[0]), golden.plain);
    const own = await run("classify", { texts: [text], labels, hypothesis: "the text is of {}" });
    expectScores(byLabel(own.labels[0]), golden.hypothesis);
  });

  it("measures depth", async () => {
    const { run, read, golden } = await open<{ shape: number[]; depth: number[] }>("depth");
    const { width, height, depth } = await run("depth", { image: { bytes: await read("picture.png") } });
    expect([height, width]).toEqual(golden.shape);
    expectNear(depth, golden.depth);
  });

  it("classifies pictures", async () => {
    const { run, read, golden } = await open<{ scores: Scores }>("classify-image");
    const { labels } = await run("classify", { images: [{ bytes: await read("picture.png") }] });
    expectScores(byLabel(labels[0]), golden.scores);
  });

  it("cuts pictures into areas", async () => {
    const { run, read, golden } = await open<{ shares: Scores }>("segment");
    const { segments } = await run("segment", { image: { bytes: await read("picture.png") } });
    const shares = segments.map(({ label, mask: { data } }) => [
      label,
      data.reduce((sum, value) => sum + (value > 127 ? 1 : 0), 0) / data.length,
    ]);
    expectScores(Object.fromEntries(shares) as Scores, golden.shares);
  });

  it("puts pictures and texts into one space", async () => {
    type Golden = { labels: string[]; vector: number[]; textVectors: number[][]; scores: Scores };
    const { run, read, golden } = await open<Golden>("clip");
    const { labels } = golden;
    const image = { bytes: await read("picture.png") };
    const { vectors, textVectors } = await run("embed-image", { images: [image], texts: labels });
    expectNear(vectors[0], golden.vector);
    textVectors.forEach((vector, at) => expectNear(vector, golden.textVectors[at] ?? []));
    const found = await run("classify", { images: [image], labels });
    expectScores(byLabel(found.labels[0]), golden.scores);
  });

  it("translates from one language to one other", async () => {
    const { run, golden } = await open<{ text: string; found: string }>("marian");
    const { text } = golden;
    expect((await run("translate", { text })).text).toBe(golden.found);
    await expect(run("translate", { text, to: "de" })).rejects.toMatchObject({ code: "unsupported_option" });
    // Nothing of a long text is left out without a word.
    const long = { text: "the cat sleeps ".repeat(30) };
    await expect(run("translate", long)).rejects.toThrow("The text has 92 tokens; the model reads 64 at once.");
  });

  it("translates between languages that are named", async () => {
    const { run, golden } = await open<{ text: string; found: Record<string, string> }>("nllb");
    for (const [to, text] of Object.entries(golden.found)) {
      expect((await run("translate", { text: golden.text, from: "eng_Latn", to })).text).toBe(text);
    }
    const wrong = { text: golden.text, from: "eng_Latn", to: "xx" };
    await expect(run("translate", wrong)).rejects.toMatchObject({ code: "bad_request" });
  });

  it("describes pictures", async () => {
    const { run, read, golden } = await open<{ text: string }>("caption");
    const image = { bytes: await read("picture.png") };
    expect((await run("caption", { image, maxTokens: 12 })).text).toBe(golden.text);
  });

  it("classifies sounds", async () => {
    const { run, golden } = await open<{ scores: Scores }>("classify-sound");
    const { labels } = await run("classify", { sounds: [tone(0.5)] });
    expectScores(byLabel(labels[0]), golden.scores);
  });

  it.each(["flac", "mp3", "ogg", "opus"])("reads sound as %s", async (format) => {
    const { run, read, golden } = await open<{ scores: Scores }>("classify-sound");
    const { labels } = await run("classify", { sounds: [{ bytes: await read(`sound.${format}`) }] });
    // Of these, FLAC alone loses nothing but the digits behind 16 bits.
    const most = format === "flac" ? 1e-3 : 0.02;
    for (const { label, score } of labels[0] ?? []) {
      expect(Math.abs(score - (golden.scores[label] ?? NaN))).toBeLessThan(most);
    }
    expect(labels[0]).toHaveLength(3);
  });

  it("hears letters", async () => {
    const { run, golden } = await open<{ text: string }>("ctc");
    const { text } = await run("transcribe", { audio: tone(1) });
    expect(text).toBe(golden.text);
  });
});
