/** The whole way with real weights: texts to a folder that the engine serves. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadOnnx, loadOnnxFolder } from "../../../../test/onnx-house.ts";
import { testPack } from "../../../../test/pack.ts";
import { cachedLibrary } from "../../../../test/real-model.ts";
import { findFixture, fixtureBytes } from "../../../engines/flint/__fixtures__/fixtures.ts";
import type { LoadedModel } from "../../../spec/engine.ts";
import { tensorFloats } from "../../../formats/onnx/data.ts";
import { openOnnx } from "../../../formats/onnx/read.ts";
import { distillClassifier } from "./classify.ts";
import type { ClassifierOptions, ClassifierReport, Student } from "./contract.ts";
import { parseExamples, splitExamples } from "./examples.ts";
import type { Head } from "./softmax.ts";
import { predict } from "./softmax.ts";

const pack = await testPack("onnx");
const text = {
  name: "topics.jsonl",
  text: readFileSync(new URL("__fixtures__/topics.jsonl", import.meta.url), "utf8"),
};

/** The trained numbers, as they are in the file. */
function readHead(path: string): Head {
  const { model, read, close } = openOnnx(path);
  const numbers = ["head_matrix", "head_bias"].map((name) => {
    const tensor = model.graph.initializers.get(name);
    return tensor ? [...tensorFloats(tensor, read)] : [];
  });
  close();
  const labels = numbers[1]?.length ?? 0;
  return { width: (numbers[0]?.length ?? 0) / labels, labels, values: Float32Array.from(numbers.flat()) };
}

describe.skipIf(pack === undefined)("a classifier on all-MiniLM", () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-classify-"));
  const out = join(folder, "topics");
  let embedder: LoadedModel;
  let student: Student;
  let report: ClassifierReport;

  const optionsOf = (more: Partial<ClassifierOptions>): ClassifierOptions => ({
    student,
    text,
    out,
    threads: 2,
    ...more,
  });

  beforeAll(async () => {
    const model = await cachedLibrary().pull("all-minilm:l6-v2-f32");
    embedder = await loadOnnx(model.name);
    const info = { format: "onnx", capabilities: ["embed"], pooling: "mean" } as const;
    const embed = async (texts: readonly string[]) => ({
      vectors: (await embedder.embed?.({ texts }))?.vectors ?? [],
      truncated: [],
    });
    student = { model, info, embed };
    report = await distillClassifier(optionsOf({}));
  });

  afterAll(async () => {
    await embedder.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  test("knows the topics of sentences that it has not seen", () => {
    expect(report.labels).toEqual({ food: 32, space: 32, sport: 32 });
    expect(report.heldOut.texts).toBe(24);
    expect(report.heldOut.accuracy?.value).toBeGreaterThan(0.9);
    expect(report.heldOut.crossEntropy).toBeLessThan(0.3);
  });

  test("is served with the probabilities that it was measured with", async () => {
    const { held } = splitExamples(parseExamples(text), 1);
    const served = await loadOnnxFolder(out);
    const texts = held.map((example) => example.text);
    const result = await served.perform?.("classify", { texts });
    await served.dispose();
    const head = readHead(join(out, "onnx", "model.onnx"));
    const { vectors } = await student.embed(texts);
    let [most, loss] = [0, 0];
    for (const [index, { label }] of held.entries()) {
      const expected = predict(head, vectors[index] ?? new Float32Array(head.width));
      const scores = new Map(result?.labels[index]?.map((found) => [found.label, found.score]));
      for (const [at, name] of ["food", "space", "sport"].entries()) {
        most = Math.max(most, Math.abs((scores.get(name) ?? 0) - (expected[at] ?? 1)));
      }
      loss -= Math.log(scores.get(label ?? "") ?? 0) / held.length;
    }
    expect(most).toBeLessThan(1e-4);
    expect(Math.abs(loss - report.heldOut.crossEntropy)).toBeLessThan(1e-4);
  });

  test("learns from a language model what the texts themselves do not say", async () => {
    const path = join(folder, "teacher.gguf");
    writeFileSync(path, fixtureBytes(findFixture("llama")));
    const words = parseExamples(text)
      .slice(0, 30)
      .map((example) => example.text.split(" ").slice(0, 3).join(" "));
    const teacher = { name: "teacher", path };
    const plain = {
      text: { name: "plain.txt", text: words.join("\n") },
      labels: ["food", "space"],
      out: join(folder, "taught"),
    };
    const taught = await distillClassifier(optionsOf({ ...plain, teacher, ask: "{}:" }));
    expect(taught.teacher).toBe("teacher");
    expect(Object.values(taught.labels).reduce((sum, count) => sum + count, 0)).toBe(24);
    expect(taught.heldOut.agreement?.value).toBeGreaterThanOrEqual(0);
    expect(taught.heldOut.accuracy).toBeUndefined();
    rmSync(join(folder, "taught"), { recursive: true });
    rmSync(path);
    const alone = distillClassifier(optionsOf({ ...plain }));
    await expect(alone).rejects.toThrow(/has no label, and there is no teacher/);
  });

  test("leaves nothing where it is interrupted", async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const interrupted = optionsOf({ out: join(folder, "interrupted"), signal: controller.signal, onProgress });
    await expect(distillClassifier(interrupted)).rejects.toThrow("aborted");
    expect(existsSync(join(folder, "interrupted"))).toBe(false);
    expect(readdirSync(folder)).toEqual(["topics"]);
  });
});
