import { expect, it } from "vitest";
import type { ModelInfo } from "../../spec/model.ts";
import { refuseFlint } from "./refuse.ts";

const info: ModelInfo = {
  format: "gguf",
  architecture: "qwen3",
  parameterCount: 0,
  quantization: "Q4_K_M",
  trainContextTokens: 0,
  embeddingLength: 0,
  blockCount: 0,
  vocabularySize: 0,
  kvBytesPerToken: 0,
  weightBytes: 0,
  specialTokens: [],
  capabilities: ["generate"],
  metadata: {},
};

it("flint takes GGUF models of its architectures on the CPU", () => {
  expect(refuseFlint(info, "cpu")).toBeUndefined();
  expect(refuseFlint(info, "auto")).toBeUndefined();
});

it("says why it does not take a model", () => {
  expect(refuseFlint(info, "cuda")).toContain("CPU");
  expect(refuseFlint({ ...info, architecture: "mamba" }, "cpu")).toMatch(/"mamba".*llama/);
  expect(refuseFlint({ ...info, format: "onnx" }, "cpu")).toContain("onnx");
});
