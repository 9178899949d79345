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
