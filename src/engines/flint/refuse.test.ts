import { expect, it } from "vitest";
import type { ModelInfo } from "../../spec/model.ts";
import { cacheTypesOf, refuseFlint, refuseFlintOptions } from "./refuse.ts";

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

it("keeps keys and values in f16 or 8 bits, each as it is told", () => {
  expect(cacheTypesOf({})).toEqual({ keyType: "f16", valueType: "f16" });
  expect(cacheTypesOf({ kvTypeK: "q8_0" })).toEqual({ keyType: "q8_0", valueType: "f16" });
  expect(cacheTypesOf({ kvTypeK: "f16", kvTypeV: "q8_0" })).toEqual({ keyType: "f16", valueType: "q8_0" });
  expect(refuseFlintOptions({ kvTypeK: "q8_0", kvTypeV: "q8_0" })).toBeUndefined();
});

it.each(["f32", "bf16", "q5_1", "q4_0", "iq4_nl"] as const)("does not take %s for one of them", (type) => {
  const reason = `flint keeps its KV cache in f16 or q8_0, not ${type}`;
  expect(refuseFlintOptions({ kvTypeV: type })).toEqual({ option: "kvTypeV", reason });
  expect(() => cacheTypesOf({ kvTypeV: type })).toThrow(`${reason}.`);
});
