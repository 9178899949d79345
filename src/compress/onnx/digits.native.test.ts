import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/cli/run-main.ts";
import { testPack } from "../../../test/pack.ts";
import { onnxLibrary } from "../../engines/onnx/setup.ts";
import { createSession } from "../../engines/onnx/session.ts";
import { parseNpz } from "../../formats/npy/archive.ts";
import type { Tensor } from "../../formats/tensor.ts";
import { createOnnxCard } from "./evaluate.ts";
import { quantizeOnnx } from "./quantize.ts";
import type { OnnxQuantizeOptions } from "./quantize.ts";

const pack = await testPack("onnx");
const fixture = (name: string): string => fileURLToPath(new URL(`__fixtures__/${name}`, import.meta.url));

async function quantize(own: Partial<OnnxQuantizeOptions>) {
  const module = onnxLibrary(pack ?? "").runtime;
  const out = join(temporaryFolder(), "digits-small.onnx");
  const report = await quantizeOnnx({ source: fixture("digits.onnx"), out, type: "int8", module, threads: 2, ...own });
  const card = await createOnnxCard({
    reference: fixture("digits.onnx"),
    report,
    inputs: fixture("test.npz"),
    module,
    threads: 2,
  });
  return { report, out, output: card.comparison.outputs[0], module };
}

/** Part of the pictures whose digit has the largest score. */
async function accuracy(path: string, module: string): Promise<number> {
  const arrays = parseNpz(readFileSync(fixture("test.npz")), "test.npz");
  const [pictures, labels] = [arrays.get("pictures") as Tensor, arrays.get("labels") as Tensor];
  const session = await createSession({ module, path, threads: 2 });
  const data = Float32Array.from(pictures.data as Uint8Array);
  const { scores } = await session.run({ pictures: { type: "float32", shape: pictures.shape, data } });
  await session.dispose();
  const values = scores?.data as Float32Array;
  const right = Array.from(labels.data as Uint8Array).filter((label, index) => {
    const row = values.subarray(index * 10, index * 10 + 10);
    return row.indexOf(Math.max(...row)) === label;
  });
  return right.length / labels.data.length;
}

describe.skipIf(pack === undefined)("a network for pictures, in ONNX Runtime", () => {
  test("sees the same digits with codes of 8 bits throughout, calibrated on other pictures", async () => {
    const { report, out, output, module } = await quantize({ calibration: fixture("calibration.npz") });
    expect(report).toMatchObject({ method: "static", calibrationSamples: 64 });
    expect(output?.agreement).toBeGreaterThanOrEqual(0.99);
    expect(output?.cosine.mean).toBeGreaterThan(0.995);
    const [before, after] = [await accuracy(fixture("digits.onnx"), module), await accuracy(out, module)];
    expect(before).toBeGreaterThan(0.97);
    expect(after).toBeGreaterThan(before - 0.01);
  });

  test("sees them with one scale for a tensor too", async () => {
    const { output } = await quantize({ calibration: fixture("calibration.npz"), perChannel: false });
    expect(output?.agreement).toBeGreaterThanOrEqual(0.97);
  });

  test("sees them without calibration", async () => {
    const { report, output } = await quantize({});
    expect(report.method).toBe("dynamic");
    expect(output?.agreement).toBeGreaterThanOrEqual(0.99);
    expect(output?.cosine.mean).toBeGreaterThan(0.998);
  });

  test("is compared on inputs that are made up where there are none", async () => {
    const { report, module } = await quantize({});
    const card = await createOnnxCard({ reference: fixture("digits.onnx"), report, module, threads: 2 });
    expect(card).toMatchObject({ inputs: "made up", comparison: { samples: 16 } });
    expect(card.comparison.outputs[0]?.cosine.mean).toBeGreaterThan(0.98);
  });

  test("is not calibrated on what is no input of it", async () => {
    const wrong = quantize({ calibration: fixture("digits.onnx") });
    await expect(wrong).rejects.toMatchObject({ code: "bad_request", message: /no \.npy, \.npz or \.jsonl/ });
  });
});
