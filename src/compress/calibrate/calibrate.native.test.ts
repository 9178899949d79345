import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeTinyLlama, type TinyLlamaOptions } from "../../../test/make-model.ts";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { evaluateModel } from "../evaluate/evaluate.ts";
import { defaultText } from "../evaluate/text.ts";
import { calibrateModel } from "./calibrate.ts";
import type { CalibrateOptions } from "./calibrate.ts";

// In a process of its own, with threads; judged by flint.
async function setUp(more: TinyLlamaOptions = {}): Promise<Omit<CalibrateOptions, "method">> {
  const folder = temporaryFolder();
  const source = await makeTinyLlama(join(folder, "tiny.gguf"), { embedding: 128, layers: 2, ...more });
  const { text } = await defaultText();
  return {
    source,
    name: "tiny",
    out: join(folder, "made"),
    group: 64,
    text: { name: "first.txt", text: text.slice(0, 12_000) },
    threads: 2,
  };
}

/** Mean distance from the probabilities of the source, on another text. */
async function divergence(options: Omit<CalibrateOptions, "method">): Promise<number> {
  const { text } = await defaultText();
  const { comparison } = await evaluateModel({
    model: { name: "made", path: options.out },
    reference: { name: "tiny", path: options.source },
    text: { name: "last.txt", text: text.slice(-8000) },
    threads: 2,
    folder: dirname(options.out),
    tokens: 4096,
  });
  return comparison?.divergence.value ?? Infinity;
}

describe("a model that was calibrated", () => {
  test.each([
    ["gptq", "gptq", false],
    ["gptq", "gptq", true],
  ] as const)("is nearer to what it was than one with the nearest codes: %s", async (method, format, ordered) => {
    const options = await setUp();
    const nearest = { ...options, out: `${options.out}-nearest` };
    await calibrateModel({ ...nearest, method: "nearest", format });
    const phases = new Set<string>();
    await calibrateModel({ ...options, method, ordered, onProgress: ({ phase }) => phases.add(phase) });
    expect(await divergence(options)).toBeLessThan(await divergence(nearest));
    expect([...phases]).toEqual(["quantize"]);
  });

  // What AWQ is for: some columns are larger than all others. Where none are, it has nothing to gain, and may lose.
  test("is nearer to what it was than one with the nearest codes: awq, with large columns", async () => {
    const options = await setUp({ outliers: 4 });
    const nearest = { ...options, out: `${options.out}-nearest` };
    await calibrateModel({ ...nearest, method: "nearest", format: "awq" });
    await calibrateModel({ ...options, method: "awq" });
    expect(await divergence(options)).toBeLessThan((await divergence(nearest)) / 2);
  });

  test("leaves nothing behind when it is stopped", async () => {
    const options = await setUp();
    const controller = new AbortController();
    const running = calibrateModel({
      ...options,
      method: "gptq",
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    expect(readdirSync(dirname(options.out))).toEqual(["tiny.gguf"]);
    expect(existsSync(options.out)).toBe(false);
  });
});
