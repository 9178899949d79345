/** The whole way with real weights: texts to a folder that the engine serves. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadOnnx, loadOnnxFolder } from "../../../../test/onnx-house.ts";
import { testPack } from "../../../../test/pack.ts";
import { cachedLibrary } from "../../../../test/real-model.ts";
import type { LoadedModel } from "../../../spec/engine.ts";
import { distillClassifier } from "./classify.ts";
import type { ClassifierOptions, ClassifierReport, Student } from "./contract.ts";
import { parseExamples, splitExamples } from "./examples.ts";

const pack = await testPack("onnx");
const text = { name: "topics.jsonl", text: readFileSync(new URL("__fixtures__/topics.jsonl", import.meta.url), "utf8") };

describe.skipIf(pack === undefined)("a classifier on all-MiniLM", () => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-classify-"));
  const out = join(folder, "topics");
  let embedder: LoadedModel;
  let student: Student;
  let report: ClassifierReport;

  const optionsOf = (more: Partial<ClassifierOptions>): ClassifierOptions => ({ student, text, out, threads: 2, ...more });

  beforeAll(async () => {
    const model = await cachedLibrary().pull("all-minilm:l6-v2-f32");
    embedder = await loadOnnx(model.name);
    const info = { format: "onnx", capabilities: ["embed"], pooling: "mean" } as const;
    const embed = async (texts: readonly string[]) => ({ vectors: (await embedder.embed?.({ texts }))?.vectors ?? [], truncated: [] });
    student = { model, info, embed };
    report = await distillClassifier(optionsOf({}));
  });

  afterAll(async () => {
    await embedder.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  test("knows the topics of sentences that it has not seen", () => {
    console.log(JSON.stringify(report));
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
    const losses = held.map(({ label }, index) => {
      const score = result?.labels[index]?.find((found) => found.label === label)?.score ?? 0;
      return -Math.log(score);
    });
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    console.log(`cross-entropy: trained ${report.heldOut.crossEntropy}, served ${mean}`);
    expect(Math.abs(mean - report.heldOut.crossEntropy)).toBeLessThan(1e-4);
  });

  test("leaves nothing where it is interrupted", async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const interrupted = optionsOf({ out: join(folder, "interrupted"), signal: controller.signal, onProgress });
    await expect(distillClassifier(interrupted)).rejects.toThrow();
    expect(existsSync(join(folder, "interrupted"))).toBe(false);
    expect(readdirSync(folder)).toEqual(["topics"]);
  });
});
