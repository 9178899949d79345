import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Services } from "../../src/commands/services.ts";
import { onnxBytes } from "../../src/formats/onnx/encode.ts";
import { makeTinyLlama } from "../make-model.ts";
import { tinyPerceptron } from "../make-onnx.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

async function tiny(): Promise<string> {
  const path = join(temporaryFolder(), "tiny-fp32.onnx");
  writeFileSync(path, await onnxBytes(tinyPerceptron()));
  return path;
}

const onnxCard: Services["onnxCard"] = async ({ report, inputs }) => ({
  version: 1,
  format: "onnx",
  createdAt: "2026-11-25T00:00:00.000Z",
  model: "tiny-int8.onnx",
  reference: "tiny-fp32.onnx",
  type: report.type,
  method: report.method,
  sizeBytes: report.sizeBytes,
  referenceBytes: report.sourceBytes,
  weights: report.weights,
  inputs: inputs ?? "made up",
  threads: 2,
  comparison: {
    samples: 16,
    outputs: [
      { name: "y", cosine: { mean: 0.999, least: 0.998 }, maxError: 0.1, relativeError: 0.01, agreement: 0.95 },
    ],
    referenceMs: 2,
    modelMs: 1,
  },
});

describe("hearth quantize of an ONNX model", () => {
  test("writes 8 bits beside the model, where no type is named", async () => {
    const source = await tiny();
    const { code, stdout } = await hearth(["quantize", source]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/method +int8, dynamic/);
    expect(existsSync(join(source, "..", "tiny-int8.onnx"))).toBe(true);
  });

  test("takes 4 bits, the size of groups and a file to write, and prints JSON", async () => {
    const source = await tiny();
    const out = join(source, "..", "small.onnx");
    const words = ["--type", "int4", "--group", "64", "--asymmetric", "--out", out, "--json"];
    const { code, stdout } = await hearth(["quantize", source, ...words]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      path: out,
      type: "int4",
      method: "weight-only",
      weights: { int4: 4608 },
    });
  });

  test("writes a quality card and its page when it is asked to", async () => {
    const source = await tiny();
    const { code, stdout } = await hearth(["quantize", source, "--card"], { services: { onnxCard } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/y +cosine 0\.99900, least 0\.99800/);
    expect(stdout).toContain("same largest number 95.00 %");
    const stem = join(source, "..", "tiny-int8");
    expect(JSON.parse(readFileSync(`${stem}.card.json`, "utf8"))).toMatchObject({ format: "onnx", inputs: "made up" });
    expect(readFileSync(`${stem}.card.html`, "utf8")).toContain("Size of the file");
    const shown = await hearth(["show", `${stem}.onnx`]);
    expect(shown.stdout).toMatch(/quality card[\s\S]*the reference has[\s\S]*cosine 0\.99900/);
    const json = await hearth(["show", `${stem}.onnx`, "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ card: { format: "onnx", comparison: { samples: 16 } } });
  });

  test("names what is wrong with flags and models", async () => {
    const source = await tiny();
    const gguf = await makeTinyLlama(join(temporaryFolder(), "tiny-f16.gguf"), { layers: 1, type: "F16" });
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[source, "--type", "int8", "--group", "32"], /--group says nothing of --type int8/],
      [[source, "--type", "int4", "--per-tensor"], /--per-tensor says nothing of --type int4/],
      [[source, "--type", "int8", "--imatrix", "x"], /--imatrix says nothing of --type int8/],
      [[source, "--type", "int4", "--calibration", "x"], /--calibration says nothing of --type int4/],
      [[source, "--inputs", "x.npz"], /--inputs is for --card/],
      [[gguf, "--type", "q4_0", "--asymmetric"], /--asymmetric says nothing of --type q4_0/],
      [[gguf, "--type", "int8"], /is no ONNX model/],
    ];
    for (const [words, message] of cases) {
      const { code, stderr } = await hearth(["quantize", ...words]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(message);
    }
  });
});
