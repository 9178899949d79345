import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Services } from "../../src/commands/services.ts";
import { makeTinyLlama } from "../make-model.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

type Distill = Services["distill"];

const distill: Distill = async ({ teacher, student, out, learning, onProgress }) => {
  const { steps = 200, batch = 4 } = learning ?? {};
  const detail = "loss 3.100, divergence 0.400, held out 3.200";
  onProgress?.({ phase: "train", label: student.name, completedBytes: 3, totalBytes: steps, detail });
  return {
    path: out,
    sizeBytes: 1000,
    notes: [],
    ms: 5000,
    teacher: teacher.name,
    student: student.name,
    heldOut: { name: "held", tokens: 2048, teacher: 2, before: 4, after: 3, recovered: 0.5 },
    steps,
    bestStep: steps,
    stepMs: 25,
    stepTokens: batch * 256,
    textTokens: 4096,
    parameters: 1234,
  };
};

async function words(): Promise<readonly string[]> {
  const folder = temporaryFolder();
  const model = await makeTinyLlama(join(folder, "tiny.gguf"), { embedding: 256, layers: 1, type: "F16" });
  const text = join(folder, "text.txt");
  writeFileSync(text, "Some words.");
  return ["distill", "--teacher", model, "--student", model, "--text", text, "--out", join(folder, "out.gguf")];
}

describe("hearth distill", () => {
  test("says what was lost, and how much of it was won back", async () => {
    const { code, stdout, stderr } = await hearth(await words(), { services: { distill } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/teacher +2\.000 \(perplexity 7\.39\)/);
    expect(stdout).toMatch(/won back +50\.0 %/);
    expect(stderr).toContain("step 3 of 200  loss 3.100, divergence 0.400, held out 3.200");
  });

  test("hands on what it is told, and prints JSON", async () => {
    const more = ["--steps", "7", "--batch", "2", "--json"];
    const { stdout } = await hearth([...(await words()), ...more], { services: { distill } });
    expect(JSON.parse(stdout)).toMatchObject({ steps: 7, stepTokens: 512, heldOut: { recovered: 0.5 } });
  });

  test("names what is missing", async () => {
    for (const name of ["--teacher", "--student", "--text", "--out"]) {
      const all = await words();
      const without = all.filter((_, index) => all[index] !== name && all[index - 1] !== name);
      const { code, stderr } = await hearth(without, { services: { distill } });
      expect(code).not.toBe(0);
      expect(stderr).toContain(`${name} is missing.`);
    }
  });
});

type Classify = Services["distillClassifier"];

const distillClassifier: Classify = async ({ student, teacher, labels, out, text }) => ({
  path: out,
  sizeBytes: 1000,
  student: student.model.format,
  ...(teacher && { teacher: teacher.name }),
  labels: Object.fromEntries((labels ?? ["a", "b"]).map((label) => [label, 40])),
  texts: 80,
  heldOut: {
    name: `a fifth of ${text.name}`,
    texts: 20,
    accuracy: { value: 0.95, error: 0.05 },
    agreement: { value: 0.9, error: 0.07 },
    crossEntropy: 0.25,
  },
  decay: 0.01,
  steps: 100,
  notes: ["2 texts are longer than what the student reads, and were cut."],
  ms: 5000,
});

describe("hearth distill --task classify", () => {
  const classify = async (): Promise<readonly string[]> => [...(await words()), "--task", "classify"];

  test("says how often the classifier is right, and how often it says what the teacher does", async () => {
    const line = [...(await classify()), "--labels", "bill, offer"];
    const { code, stdout, stderr } = await hearth(line, { services: { distillClassifier } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/labels +bill 40, offer 40/);
    expect(stdout).toMatch(/right labels +95\.0 ± 5\.0 %/);
    expect(stdout).toMatch(/as the teacher +90\.0 ± 7\.0 %/);
    expect(stderr).toContain("2 texts are longer");
  });

  test("needs no teacher, and prints JSON", async () => {
    const all = await classify();
    const line = all.filter((_, index) => all[index] !== "--teacher" && all[index - 1] !== "--teacher");
    const { stdout } = await hearth([...line, "--json"], { services: { distillClassifier } });
    expect(JSON.parse(stdout)).toMatchObject({ student: "gguf", heldOut: { accuracy: { value: 0.95 } } });
  });

  test("refuses what says nothing of its task, and a student that is not ONNX", async () => {
    const steps = await hearth([...(await classify()), "--steps", "7"]);
    expect(steps.stderr).toContain("--steps says nothing of --task classify.");
    const labels = await hearth([...(await words()), "--labels", "a,b"]);
    expect(labels.stderr).toContain("--labels says nothing of --task generate.");
    const gguf = await hearth(await classify());
    expect(gguf.stderr).toContain("is a model of the format gguf, of which no classifier in ONNX can be made.");
  });
});
