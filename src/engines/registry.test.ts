import { describe, expect, it } from "vitest";
import { HearthError } from "../error.ts";
import type { ModelInfo } from "../spec/model.ts";
import { createEngines } from "./registry.ts";

const info: ModelInfo = {
  format: "gguf",
  architecture: "qwen3",
  parameterCount: 1,
  quantization: "Q4_0",
  trainContextTokens: 1024,
  embeddingLength: 8,
  blockCount: 1,
  vocabularySize: 10,
  kvBytesPerToken: 1,
  weightBytes: 1,
  specialTokens: [],
  capabilities: ["generate"],
  metadata: {},
};
const engines = createEngines({ dataFolder: "/nowhere/hearth" });

function refusal(more: Partial<ModelInfo>, device: "auto" | "metal" | "cuda" = "auto"): HearthError {
  try {
    engines.choose({ ...info, ...more }, device);
  } catch (error) {
    if (error instanceof HearthError) return error;
    throw error;
  }
  throw new Error("the model was accepted");
}

describe("the choice of an engine", () => {
  it("is llama for GGUF files of a known architecture, with its reasons", () => {
    const choice = engines.choose(info, "cpu");
    expect(choice).toMatchObject({ engine: "llama", device: "cpu" });
    expect(choice.reasons.join(" ")).toMatch(/gguf.*qwen3.*cpu was asked for/);
  });

  it("names an unknown architecture, what it may have been, and the known ones", () => {
    const error = refusal({ architecture: "qwen33" });
    expect(error.code).toBe("model_unsupported");
    expect(error.message).toMatch(/"qwen33".*Did you mean "qwen3".*Known: .*llama/);
    expect(error.details).toMatchObject({ architecture: "qwen33", engine: "llama" });
  });

  it("names the engine that would run another format", () => {
    expect(refusal({ format: "onnx", architecture: "whisper" }).message).toMatch(
      /onnx \(this one: whisper\) run on the engine onnx/,
    );
    expect(refusal({ format: "safetensors" }).message).toMatch(/engine flint, which is not part of this version/);
  });

  it.skipIf(process.platform === "darwin")("refuses a device that this machine cannot have", () => {
    expect(refusal({}, "metal").message).toMatch(/Metal/);
  });

  it("is open to engines of this version only", async () => {
    await expect(engines.get("flint")).rejects.toMatchObject({ code: "engine_missing" });
    expect((await engines.get("llama")).name).toBe("llama");
  });
});
