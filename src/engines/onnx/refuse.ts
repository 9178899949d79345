import type { Device, EngineFootprint } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";

const known: readonly Device[] = ["auto", "cpu", "cuda", "coreml", "directml", "webgpu", "npu"];

/** Why ONNX Runtime cannot run this model on this device; undefined: it can, or falls back to the CPU and says why. */
export function refuseOnnx(info: ModelInfo, device: Device): string | undefined {
  if (info.format !== "onnx") return `ONNX Runtime runs ONNX models, not ${info.format}`;
  if (!known.includes(device)) return `ONNX Runtime does not run on ${device}; it runs on ${known.join(", ")}`;
  if (device === "coreml" && process.platform !== "darwin") return "CoreML is there on Apple machines only";
  if (device === "directml" && process.platform !== "win32") return "DirectML is there on Windows only";
  if (device === "cuda" && process.platform === "darwin") return "CUDA is not there on Apple machines";
  return undefined;
}

const mebibyte = 1024 ** 2;

/** ONNX Runtime reads the weights and lays some of them out anew; what models of vision compute takes about as much. */
export function onnxFootprint({ weightBytes }: ModelInfo): EngineFootprint {
  return {
    weightBytes: Math.ceil(weightBytes * 1.5),
    processBytes: 250 * mebibyte,
    rowBytes: 0,
    batchTokens: 1,
    blockTokens: 1,
  };
}
